#!/usr/bin/perl

# A decoder that was taken over: whatever it then tries is refused or kills it,
# its client is told, and nobody else notices.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);

use Imagegram qw(slurp spew);
use Imagegram::Image;
use Test::More;


# what it tries, the status of the answer, and what is said of it
my @attempts = (
    [ open    => 503 ],
    [ create  => 503 ],
    [ connect => 503 ],
    [ fork    => 503 ],
    [ exec    => 503 ],
    [ kill    => 503 ],
    [ unlink  => 503 ],
    [ memory  => 503 ],
    [ spin    => 422, qr/too long/ ],
    [ exit    => 422, qr/too much memory/ ],
    [ nothing => 201 ],
);

my $folder = tempdir(CLEANUP => 1);
my $t = Imagegram->new(server => join '', map { "
    location /$_->[0]/ {
        imagegram;
        imagegram_converters 1 timeout=2s memory=64m path=$folder/$_->[0];
    }" } @attempts);

plan skip_all => 'the sanitizers\' own library must be the first one'
    if $t->sanitized;

chmod 0777, $folder;
Imagegram->compile('hostile.c', "$folder/hostile.so", qw(-shared -fPIC));

for my $attempt (map { $_->[0] } @attempts) {
    spew("$folder/$attempt", join "\n", '#!/bin/sh',
        'export LD_PRELOAD=' . "$folder/hostile.so",
        "export HOSTILE=$attempt", "export HOSTILE_FILE=$folder/precious",
        'export HOSTILE_REDIS=' . $t->redis_socket,
        'exec ' . $t->converter . ' "$@"', '');
    chmod 0755, "$folder/$attempt";
}

$t->start;
$t->expect_log(qr/exited on signal|imagegram-convert/);

my $jpeg = Imagegram::Image::jpeg(16, 16);
my @workers = $t->worker_pids;

for my $case (@attempts) {
    my ($attempt, $status, $said) = @$case;

    spew("$folder/precious", 'precious') if $attempt ne 'create';
    unlink "$folder/precious" if $attempt eq 'create';
    chmod 0666, "$folder/precious";

    my $before = $t->stored;
    my $upload = $t->connect->send($t->prepare('POST', "$attempt/posts",
        form($jpeg)));

    is($t->get('posts')->{status}, 200, "$attempt: others are served");

    my $r = $upload->response;

    is($r->{status}, $status, "$attempt: the answer") or diag($r->{body});
    next if $status == 201;

    is($r->{headers}{'content-type'}, 'application/problem+json',
        "$attempt: a problem document");
    like($r->{body}, $said // qr/"status":503/, "$attempt: is told");
    is_deeply($t->stored, $before, "$attempt: nothing is left");
    is($attempt eq 'create' ? -e "$folder/precious"
        : slurp("$folder/precious"), $attempt eq 'create' ? undef : 'precious',
        "$attempt: and nothing was done");
    is($t->form('posts', [author => 'a', body => 'b', image => $jpeg])
        ->{status}, 201, "$attempt: images of others are converted");
}

is_deeply([$t->worker_pids], \@workers, 'the workers are the same');


sub form {
    my ($image) = @_;

    my ($type, $body) = Imagegram::Body::multipart(author => 'a', body => 'b',
        image => $image);

    return (headers => ['Content-Type' => $type], body => $body);
}

done_testing();
