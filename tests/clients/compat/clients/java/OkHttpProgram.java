// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Files;
import java.nio.file.Path;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

public class OkHttpProgram {
    public static void main(String[] modes) throws Exception {
        OkHttpClient client = new OkHttpClient();
        for (int i = 0; i < modes.length; i++) {
            if (i > 0)
                Files.readString(Path.of(System.getenv("COMPAT_PAUSE")));
            byte[] body = Files.readAllBytes(Path.of(System.getenv("COMPAT_BODIES"), modes[i] + ".json"));
            Request request = new Request.Builder().url(System.getenv("COMPAT_URL"))
                .header("authorization", "Bearer " + System.getenv("OPENAI_API_KEY"))
                .post(RequestBody.create(body, MediaType.get("application/json"))).build();
            try (Response answer = client.newCall(request).execute()) {
                if (answer.code() != 200)
                    throw new IllegalStateException("status " + answer.code());
                System.out.println(answer.body().string());
            }
        }
        System.exit(0);
    }
}
