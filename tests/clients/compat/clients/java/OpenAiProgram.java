// SPDX-License-Identifier: Apache-2.0
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionFunctionTool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;

public class OpenAiProgram {
    static String ask(OpenAIClient client, String mode) {
        var ask = ChatCompletionCreateParams.builder().model("gpt-5.4-mini-mini")
            .addUserMessage(mode.equals("tools") ? "use the tool to find the weather" : "hello from openai-java");
        if (mode.equals("stream"))
            try (var stream = client.chat().completions().createStreaming(ask.build())) {
                return stream.stream().flatMap(chunk -> chunk.choices().stream()).flatMap(c -> c.delta().content().stream())
                    .collect(Collectors.joining());
            }
        if (mode.equals("json"))
            return client.chat().completions().create(ask.build()).choices().get(0).message().content().get();
        var parameters = FunctionParameters.builder().putAdditionalProperty("type", JsonValue.from("object"))
            .putAdditionalProperty("properties", JsonValue.from(Map.of("city", Map.of("type", "string")))).build();
        ask.addTool(ChatCompletionFunctionTool.builder()
            .function(FunctionDefinition.builder().name("get_weather").parameters(parameters).build()).build());
        return client.chat().completions().create(ask.build()).choices().get(0).message().toolCalls().get().get(0)
            .asFunction().function().name();
    }

    public static void main(String[] modes) throws Exception {
        OpenAIClient client = OpenAIOkHttpClient.fromEnv();
        for (int i = 0; i < modes.length; i++) {
            if (i > 0)
                Files.readString(Path.of(System.getenv("COMPAT_PAUSE")));
            System.out.println("ANSWER " + ask(client, modes[i]).replace('\n', ' '));
        }
        System.exit(0);
    }
}
