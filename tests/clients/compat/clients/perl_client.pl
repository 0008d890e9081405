#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use LWP::UserAgent;
$| = 1;
sub content { local $/; open my $file, '<', $_[0] or die "$_[0]: $!"; return <$file> }
my $agent = LWP::UserAgent->new(timeout => 60);
my $asked = 0;
for my $mode (@ARGV) {
    content($ENV{COMPAT_PAUSE}) if $asked++;
    my $answer = $agent->post($ENV{COMPAT_URL}, 'authorization' => "Bearer $ENV{OPENAI_API_KEY}",
        'content-type' => 'application/json', Content => content("$ENV{COMPAT_BODIES}/$mode.json"));
    die $answer->status_line . ' ' . $answer->content unless $answer->is_success;
    print $answer->content, "\n";
}
