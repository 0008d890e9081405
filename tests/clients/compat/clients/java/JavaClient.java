// SPDX-License-Identifier: Apache-2.0
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

public class JavaClient {
    public static void main(String[] modes) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 0; i < modes.length; i++) {
            if (i > 0)
                Files.readString(Path.of(System.getenv("COMPAT_PAUSE")));
            HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("COMPAT_URL")))
                .header("authorization", "Bearer " + System.getenv("OPENAI_API_KEY")).header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(System.getenv("COMPAT_BODIES"), modes[i] + ".json"))).build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200)
                throw new IllegalStateException(answer.statusCode() + " " + answer.body());
            System.out.println(answer.body());
        }
    }
}
