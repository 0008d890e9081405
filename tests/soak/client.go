// SPDX-License-Identifier: Apache-2.0

// A static Go program as a client of the soak, governed by the supervisor; client.py says what these do.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

type dialect struct{ url, model, end string }

var dialects = map[string]dialect{
	"openai":    {"https://api.openai.com/v1/chat/completions", "gpt-5.4-nano", "data: [DONE]\n\n"},
	"anthropic": {"https://api.anthropic.com/v1/messages", "claude-haiku-4-5", "\"message_stop\"}\n\n"},
}

// No name of a provider resolves on a machine without a network: the policy says that this is an address of one.
const address = "203.0.113.9:443"

func makeRequest(field []string) (*http.Request, error) {
	kind := dialects[field[1]]
	body := map[string]any{"model": kind.model, "max_tokens": json.Number(field[4]),
		"messages": []any{map[string]string{"role": "user", "content": field[5]}}}
	if field[2] == "1" {
		body["stream"] = true
	}
	text, _ := json.Marshal(body)
	request, err := http.NewRequest("POST", kind.url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.GetBody = nil // nothing is sent twice
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Standin-Tag", field[0])
	if field[1] == "openai" {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	} else {
		request.Header.Set("X-Api-Key", os.Getenv("ANTHROPIC_API_KEY"))
		request.Header.Set("Anthropic-Version", "2023-06-01")
	}
	return request, nil
}

func run(client *http.Client, field []string) (string, int, string) {
	request, err := makeRequest(field)
	if err != nil {
		return "-", 0, "broken"
	}
	answer, err := client.Do(request)
	if err != nil {
		return "-", 0, "broken"
	}
	defer answer.Body.Close()
	id := answer.Header.Get("Tollgate-Request-Id")
	if id == "" {
		id = "-"
	}
	if field[3] == "1" {
		answer.Body.Read(make([]byte, 1))
		return id, answer.StatusCode, "aborted"
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || (field[2] == "1" && answer.StatusCode == 200 && !strings.HasSuffix(string(text), dialects[field[1]].end)) {
		return id, answer.StatusCode, "broken"
	}
	if answer.StatusCode != 200 {
		return id, answer.StatusCode, "error"
	}
	return id, answer.StatusCode, "whole"
}

func main() {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	client := &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{DialContext: dial}}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		field := strings.Split(lines.Text(), "\t")
		id, status, outcome := run(client, field)
		fmt.Printf("%s\t%s\t%d\t%s\n", field[0], id, status, outcome)
	}
}
