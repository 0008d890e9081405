#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use LWP::UserAgent;
use JSON::PP;
my $stream = $ARGV[0] eq 'stream';
my $body = encode_json({ model => 'gpt-5.4-mini-mini', stream => $stream ? JSON::PP::true : JSON::PP::false,
    messages => [{ role => 'user', content => 'hello from Perl' }] });
my $answer = LWP::UserAgent->new(timeout => 60)->post('https://api.openai.com/v1/chat/completions',
    'authorization' => "Bearer $ENV{OPENAI_API_KEY}", 'content-type' => 'application/json', Content => $body);
die $answer->status_line . ' ' . $answer->content unless $answer->is_success;
my $text = '';
if ($stream) {
    for my $line (split /\n/, $answer->content) {
        $text .= decode_json($1)->{choices}[0]{delta}{content} // '' if $line =~ /^data: (\{.*)/;
    }
} else {
    $text = decode_json($answer->content)->{choices}[0]{message}{content};
}
$text =~ s/\n/ /g;
print "ANSWER $text\n";
