// SPDX-License-Identifier: Apache-2.0
// net/http: posts the body of each mode and prints the answer.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func ask(mode string) error {
	body, err := os.ReadFile(os.Getenv("COMPAT_BODIES") + "/" + mode + ".json")
	if err != nil {
		return err
	}
	request, err := http.NewRequest("POST", os.Getenv("COMPAT_URL"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	request.Header.Set("content-type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func main() {
	for number, mode := range os.Args[1:] {
		if number > 0 {
			os.ReadFile(os.Getenv("COMPAT_PAUSE"))
		}
		if err := ask(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
