// SPDX-License-Identifier: Apache-2.0
// openai-go, as its README uses it.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

func ask(client openai.Client, mode string) (string, error) {
	ask := openai.ChatCompletionNewParams{
		Model:    "gpt-5.4-mini-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello from openai-go")},
	}
	if mode == "tools" {
		ask.Messages[0] = openai.UserMessage("use the tool to find the weather")
		ask.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name:       "get_weather",
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]string{"type": "string"}}},
		})}
	}
	if mode == "stream" {
		text := ""
		stream := client.Chat.Completions.NewStreaming(context.Background(), ask)
		for stream.Next() {
			for _, choice := range stream.Current().Choices {
				text += choice.Delta.Content
			}
		}
		return text, stream.Err()
	}
	answer, err := client.Chat.Completions.New(context.Background(), ask)
	if err != nil {
		return "", err
	}
	if mode == "tools" {
		return answer.Choices[0].Message.ToolCalls[0].Function.Name, nil
	}
	return answer.Choices[0].Message.Content, nil
}

func main() {
	client := openai.NewClient()
	for number, mode := range os.Args[1:] {
		if number > 0 {
			os.ReadFile(os.Getenv("COMPAT_PAUSE"))
		}
		text, err := ask(client, mode)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("ANSWER", strings.ReplaceAll(text, "\n", " "))
	}
}
