// SPDX-License-Identifier: Apache-2.0
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.stream.Collectors;

public class JavaClient {
    public static void main(String[] arguments) throws Exception {
        boolean stream = arguments[0].equals("stream");
        String body = "{\"model\":\"gpt-5.4-mini-mini\",\"stream\":" + stream
            + ",\"messages\":[{\"role\":\"user\",\"content\":\"hello from Java\"}]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create("https://api.openai.com/v1/chat/completions"))
            .header("authorization", "Bearer " + System.getenv("OPENAI_API_KEY"))
            .header("content-type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofLines());
        String text = answer.body().collect(Collectors.joining(" "));
        if (answer.statusCode() != 200 || stream && !text.contains("[DONE]"))
            throw new IllegalStateException(answer.statusCode() + " " + text);
        System.out.println("ANSWER " + text.length() + " bytes");
    }
}
