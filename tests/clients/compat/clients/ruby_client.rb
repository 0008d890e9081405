# SPDX-License-Identifier: Apache-2.0
require "net/http"
uri = URI(ENV["COMPAT_URL"])
ARGV.each_with_index do |mode, number|
  File.read(ENV["COMPAT_PAUSE"]) if number > 0
  Net::HTTP.start(uri.host, uri.port, use_ssl: true) do |http|
    request = Net::HTTP::Post.new(uri, "authorization" => "Bearer #{ENV['OPENAI_API_KEY']}", "content-type" => "application/json")
    request.body = File.read("#{ENV['COMPAT_BODIES']}/#{mode}.json")
    answer = http.request(request)
    raise "#{answer.code} #{answer.body}" unless answer.code == "200"
    puts answer.body
    $stdout.flush
  end
end
