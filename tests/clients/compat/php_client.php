<?php
// SPDX-License-Identifier: Apache-2.0
$stream = $argv[1] === 'stream';
$body = json_encode(['model' => 'gpt-5.4-mini-mini', 'stream' => $stream,
    'messages' => [['role' => 'user', 'content' => 'hello from PHP']]]);
$context = stream_context_create(['http' => ['method' => 'POST', 'content' => $body, 'timeout' => 60,
    'header' => "authorization: Bearer " . getenv('OPENAI_API_KEY') . "\r\ncontent-type: application/json"]]);
$answer = file_get_contents('https://api.openai.com/v1/chat/completions', false, $context);
if ($answer === false) exit(1);
$text = '';
if ($stream) {
    foreach (explode("\n", $answer) as $line)
        if (str_starts_with($line, 'data: {'))
            $text .= json_decode(substr($line, 6), true)['choices'][0]['delta']['content'] ?? '';
} else {
    $text = json_decode($answer, true)['choices'][0]['message']['content'];
}
echo 'ANSWER ', strtr($text, "\n", ' '), "\n";
