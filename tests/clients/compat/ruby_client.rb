# SPDX-License-Identifier: Apache-2.0
require "json"
require "net/http"
stream = ARGV[0] == "stream"
uri = URI("https://api.openai.com/v1/chat/completions")
body = { model: "gpt-5.4-mini-mini", stream: stream, messages: [{ role: "user", content: "hello from Ruby" }] }
text = +""
Net::HTTP.start(uri.host, uri.port, use_ssl: true) do |http|
  request = Net::HTTP::Post.new(uri, "authorization" => "Bearer #{ENV['OPENAI_API_KEY']}", "content-type" => "application/json")
  request.body = body.to_json
  http.request(request) do |answer|
    raise "#{answer.code} #{answer.read_body}" unless answer.code == "200"
    if stream
      rest = +""
      answer.read_body do |chunk|
        rest << chunk
        while (line = rest.slice!(/\A.*\n/))
          text << (JSON.parse(line[6..])["choices"][0]["delta"]["content"] || "") if line.start_with?("data: {")
        end
      end
    else
      text = JSON.parse(answer.body)["choices"][0]["message"]["content"]
    end
  end
end
puts "ANSWER #{text.tr("\n", ' ')}"
