<?php
// SPDX-License-Identifier: Apache-2.0
foreach (array_slice($argv, 1) as $number => $mode) {
    if ($number > 0) file_get_contents(getenv('COMPAT_PAUSE'));
    $options = ['http' => ['method' => 'POST', 'timeout' => 60, 'content' => file_get_contents(getenv('COMPAT_BODIES') . "/$mode.json"),
        'header' => "authorization: Bearer " . getenv('OPENAI_API_KEY') . "\r\ncontent-type: application/json"]];
    if (getenv('COMPAT_IPV6')) $options['socket'] = ['bindto' => '[::]:0'];
    $answer = file_get_contents(getenv('COMPAT_URL'), false, stream_context_create($options));
    if ($answer === false) exit(1);
    echo $answer, "\n";
}
