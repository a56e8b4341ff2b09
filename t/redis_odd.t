#!/usr/bin/perl

# A Redis whose replies are well formed, but not what was asked for: each kind
# of request gets 500, or 503 where Redis says that it cannot, and nothing is
# kept that was not made.  How replies may be malformed is in redis_fake.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(wait_for);
use Imagegram::Assert;
use Imagegram::FakeRedis qw(bulk);
use Imagegram::Image;
use Imagegram::Tus qw(metadata tus_request);
use Test::More;


my $id = '83df3a6c-1487-41c5-815a-faef8c154816';
my $cid = '00000000-0000-4000-8000-000000000000';

my %replies = (
    status  => "+OK\r\n",
    number  => ":1\r\n",
    none    => "*0\r\n",
    numbers => "*2\r\n:1\r\n:2\r\n",
    nested  => "*1\r\n*1\r\n:1\r\n",
    short   => "*1\r\n" . bulk('{"PostID":"x'),
    oom     => "-OOM command not allowed\r\n",
    closes  => \'',
);

# texts that are nearly posts

my %texts = (
    text   => 'x',
    start  => qq({"postid":"$id","Timestamp":1\n}),
    noid   => '{"PostID":"' . 'x' x 36 . qq(","Timestamp":1\n}),
    noline => qq({"PostID":"$id","Timestamp":1}),
);

$replies{$_} = bulk($texts{$_}) for keys %texts;

my @names = sort keys %replies;

# a connection each: locations whose settings are the same share one, and some
# of these replies end it

my $distinct = 1000;

my $t = Imagegram->new(
    redis    => undef,
    settings => { redis => 'unix:%%DIR%%/fake.sock', cache => 'off' },
    server   => join "\n", map { "
        location /$_/ {
            imagegram;
            imagegram_key_prefix $_;
            imagegram_redis unix:%%DIR%%/fake.sock
                connect_timeout=@{[ $distinct++ ]}ms;
        }" } @names,
);

my $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    return "+PONG\r\n" if $command[0] eq 'PING';
    return ":1\r\n" if "@command" =~ /:storages \S+:feed /;

    my ($name) = "@command" =~ /(\w+):\{0\}:/;

    return $replies{$name};
});

$t->expect_log(qr{connect\(\) to unix:.*/fake\.sock failed});
$t->start_nginx;
ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'the storage is known');

my ($type, $body) = Imagegram::Body::multipart(author => 'a', body => 'b',
    image => Imagegram::Image::png(8, 8));
my @form = (body => $body, headers => ['Content-Type' => $type]);
my @keyed = (body => $body, headers => ['Content-Type' => $type,
    'Idempotency-Key' => 'key']);

# What such replies come to, other than 500: what is right for one request may
# be wrong for others

for my $case (
    ['GET',    'posts'],
    ['GET',    'posts?images=base64'],
    ['GET',    "posts/$id"],
    ['GET',    "posts/$id/comments"],
    ['GET',    "posts/$id/comments/$cid", map { $_ => 200 } keys %texts],
    ['POST',   "posts/$id/comments", json => { author => 'a', body => 'b' },
        number => 409],
    ['DELETE', "posts/$id", number => 403, map { $_ => 204 } keys %texts],
    ['DELETE', "posts/$id/comments/$cid", number => 200],
    ['POST',   'posts', @form, number => 409],
    ['POST',   'posts', @keyed, number => 409,
        map { $_ => 503 } qw(status none numbers nested short), keys %texts],
) {
    my ($method, $path, %options) = @$case;
    my %status = (oom => 503, closes => 503);

    for my $name (@names) {
        $status{$name} = delete $options{$name} // $status{$name} // 500;
    }

    my $key = "@{ $options{headers} // [] }" =~ /Key/ ? ', with a key' : '';

    for my $name (@names) {
        my $r = $t->request($method, "/$name/$path", %options);
        my $what = "$method $path$key, $name";

        $status{$name} < 300 ? is($r->{status}, $status{$name}, $what)
            : is_problem($r, $status{$name}, $what);
    }
}

is_deeply([$t->files('tmp')], [], 'nothing is left in tmp/');

# nor elsewhere, but of posts that are said to be, and where nobody knows

is((() = $t->files('images')),
    keys(%texts) + (() = $t->log =~ /its files stay/g),
    'and no files of posts that were not made');


# an upload waits until it is told that there is a post: here again and again

my ($worker) = $t->worker_pids;
my $png = Imagegram::Image::png(8, 8);

for my $name (qw(status number none)) {
    my $r = tus_request($t, 'POST', "/$name/uploads", length => 0, headers => [
        'Upload-Length'   => length $png,
        'Upload-Metadata' => metadata(author => 'a', body => 'b')]);
    my $upload = Imagegram::Tus->new($t, $r->{headers}{location});

    is_problem($upload->patch(0, $png), $name eq 'number' ? 409 : 500,
        "an upload, $name");

    my $logged = () = $t->log =~ /post @{[ $upload->id ]} may be in the feed/g;

    is($logged, 1, 'which may be a post');
    ok(wait_for(sub {
        (() = $t->log =~ /post @{[ $upload->id ]} may be in the feed/g) > 1;
    }, 30), 'it is tried again');

    $r = $upload->head;
    is($r->{status}, 200, 'it is there');
    is($r->{headers}{'upload-offset'}, length $png, 'with all of its bytes');
    is($r->{headers}{'content-location'}, undef, 'and no post');
}

is(($t->worker_pids)[0], $worker, 'the worker is well');

done_testing();
