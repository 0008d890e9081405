// SPDX-License-Identifier: Apache-2.0
//! reqwest with rustls: posts the body of each mode and prints the answer.
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let client = reqwest::blocking::Client::new();
    for (number, mode) in env::args().skip(1).enumerate() {
        if number > 0 {
            fs::read(env::var("COMPAT_PAUSE")?)?;
        }
        let body = fs::read(format!("{}/{mode}.json", env::var("COMPAT_BODIES")?))?;
        let answer = client
            .post(env::var("COMPAT_URL")?)
            .header("authorization", format!("Bearer {}", env::var("OPENAI_API_KEY")?))
            .header("content-type", "application/json")
            .body(body)
            .send()?
            .error_for_status()?;
        println!("{}", answer.text()?);
    }
    Ok(())
}
