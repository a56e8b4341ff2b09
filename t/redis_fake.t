#!/usr/bin/perl

# What a Redis may say that is not well, or is none: a scenario each, told
# apart by the key prefix.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(spew wait_for);
use Imagegram::Assert;
use Imagegram::FakeRedis qw(bulk);
use Test::More;
use Time::HiRes qw(sleep time);


my $id = '83df3a6c-1487-41c5-815a-faef8c154816';
my $cid = '00000000-0000-4000-8000-0000000000';    # and two digits

# the comment that was asked for

sub text {
    my ($padding) = @_;
    return bulk(qq({"CommentID":"$_[-1]","Body":") . 'b' x $padding . '"}');
}

my $empty = "*1\r\n\$-1\r\n";
my $card = qq({"PostID":"$id","Timestamp":1,"Author":"a","Version":0,)
    . qq("Status":"ok","CommentCount":0,"Body":"b"\n"LastComments":[]});

# what is answered to the feed's script, and the status that comes of it; the
# same answer is given to a change

my %scenarios = (
    empty     => [200, sub { $empty }],
    bytes     => [200, sub { [split //, $empty] }],
    card      => [200, sub { "*2\r\n" . bulk($card) . "\$-1\r\n" }],
    cards     => [200, sub { [split //, "*2\r\n" . bulk($card) . "\$-1\r\n"] }],
    nocard    => [200, sub { "*2\r\n\$-1\r\n\$-1\r\n" }],
    badcard   => [200, sub { "*2\r\n" . bulk('x') . "\$-1\r\n" }],
    many      => [200, sub { "*101\r\n" . bulk($card) x 100 . "\$-1\r\n" }],
    noscript  => [200, sub { $_[1] eq 'EVAL' ? $empty
        : "-NOSCRIPT No matching script. Please use EVAL.\r\n" }],

    loading   => [503, sub { "-LOADING Redis is loading the dataset\r\n" }],
    readonly  => [503, sub { "-READONLY You can't write here\r\n" }],
    moved     => [503, sub { "-MOVED 3999 127.0.0.1:6381\r\n" }],
    oom       => [503, sub { "-OOM command not allowed\r\n" }],
    noauth    => [503, sub { "-NOAUTH Authentication required.\r\n" }],
    forever   => [503, sub { "-NOSCRIPT No matching script.\r\n" }],
    silent    => [503, sub { '' }],
    late      => [503, sub { '' }],
    half      => [503, sub { substr $empty, 0, 3 }],
    closes    => [503, sub { \'' }],
    closing   => [503, sub { \substr $empty, 0, 3 }],
    garbage   => [503, sub { "HTTP/1.1 400 Bad Request\r\n\r\n" }],
    binary    => [503, sub { "\0\xff\r\n" }],
    negative  => [503, sub { "\$-5\r\n" }],
    endless   => [503, sub { "\$99999999999\r\n" }],
    deep      => [503, sub { "*1\r\n" x 20 . ":1\r\n" }],

    status    => [500, sub { "+OK\r\n" }],
    number    => [500, sub { ":1\r\n" }],
    text      => [500, sub { bulk('x') }],
    nothing   => [500, sub { "*0\r\n" }],
    score     => [500, sub { "*1\r\n" . bulk('x') }],
    scores    => [500, sub { "*1\r\n" . bulk('99999999999999999999') }],
    nested    => [500, sub { "*1\r\n*1\r\n:1\r\n" }],
);

# these are asked for comments only

my %readers = (
    large     => sub { text(70_000, @_) },
    pieces    => sub { [text(20_000, @_) =~ /(.{1,3000})/gs] },
    missing   => sub { "\$-1\r\n" },
);

my $surplus = sub { text(10, @_) . text(20, $cid . '99') };

# A connection for each scenario: their settings differ.  Only some are meant
# to take too long.

my $distinct = 1000;

sub timeout {
    my ($name) = @_;

    return $name eq 'late' ? '2500ms'
        : ($scenarios{$name} // [200])->[0] == 503 ? '2s' : '30s';
}

my $t = Imagegram->new(
    redis    => undef,
    settings => { redis => 'unix:%%DIR%%/fake.sock timeout=2s' },
    server   => join("\n", map {
        "location /$_/ { imagegram; imagegram_key_prefix $_;
            imagegram_redis unix:%%DIR%%/fake.sock
                timeout=@{[ timeout($_) ]}
                connect_timeout=@{[ $distinct++ * 10 ]}ms; }"
    } sort keys %scenarios, keys %readers, 'surplus')
        . 'location /useless/ { imagegram; imagegram_storage %%DIR%%/useless;
            imagegram_redis unix:%%DIR%%/useless.sock; }
           location /mute/ { imagegram; imagegram_storage %%DIR%%/mute;
            imagegram_redis unix:%%DIR%%/mute.sock timeout=700ms; }',
);

my $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    return "+PONG\r\n" if $command[0] eq 'PING';
    return ":1\r\n" if "@command" =~ /:storages \S+:feed /;

    my ($name) = "@command" =~ /(\w+):\{0\}:/;

    return $scenarios{$name}[1]->(@_) if $scenarios{$name};
    return ($readers{$name} // $surplus)->(@_);
});

$t->expect_log(qr{/(?:useless|mute)\.sock failed});
$t->start_nginx;

# at first each of them is told the storage's id, which is not the matter here
wait_for(sub { !-e $t->storage . '/new' }, 30);

# one that never says anything, all the while

my $mute = Imagegram::FakeRedis->new($t->dir . '/mute.sock', sub { '' });

# one request to each scenario, all at once

my @names = sort keys %scenarios;

sub ask_all {
    my ($method, $path, %options) = @_;

    my %clients = map { $_ => $t->connect } @names;

    $clients{$_}->send($t->prepare($method, "/$_/$path", %options)) for @names;
    Imagegram::HTTP::run([values %clients], 60);

    return map { $_ => $clients{$_}->response } @names;
}

# twice: after a connection was closed it is made anew

for my $round (1, 2) {
    my %answers = ask_all('GET', 'posts');

    for my $name (@names) {
        my ($status, $r) = ($scenarios{$name}[0], $answers{$name});

        $status == 200 ? is($r->{status}, 200, "$name: 200")
            : is_problem($r, $status, "$name: $status");
        is(ref $r->{json}, 'HASH', 'JSON');
    }
}

my %answers = ask_all('POST', "posts/$id/comments",
    json => { author => 'a', body => 'b' });

for my $name (@names) {
    cmp_ok($answers{$name}{status}, '>=', 404, "$name: no comment is made");
}

is($t->get("/$_/posts?limit=x")->{status}, 400, 'the worker is well')
    for @names;
is(scalar @{ $t->get('/many/posts?limit=100')->{json}{posts} }, 100,
    'a reply of 100 posts');
is_deeply($t->get('/nocard/posts')->{json}{posts}, [],
    'a post without a card is left out');
is_deeply($t->get('/badcard/posts')->{json}{posts}, [],
    'likewise one with a bad card');
cmp_ok((grep { / EVAL/ && /forever:/ } $fake->commands), '<', 10,
    'a script is not sent for ever');


# comments, many at once: each request gets its own

for my $name (sort keys %readers) {
    my @clients = map { $t->connect } 10 .. 29;

    for my $n (10 .. 29) {
        $clients[ $n - 10 ]->send($t->prepare('GET',
            "/$name/posts/$id/comments/$cid$n"));
    }

    Imagegram::HTTP::run(\@clients, 60);

    my @answers = map { $_->response } @clients;
    my @right = grep {
        my $r = $answers[$_];

        $r->{status} == 200
            && $r->{json}{CommentID} eq $cid . ($_ + 10);
    } 0 .. $#answers;

    if ($name eq 'missing') {
        is(scalar(grep { $_->{status} == 404 } @answers), 20, 'missing: 404');

    } else {
        is(scalar @right, 20, "$name: everyone gets what it is");
    }
}


# a reply too many ends the connection, before somebody else gets it

for my $n (10 .. 19) {
    my $r = $t->get("/surplus/posts/$id/comments/$cid$n");

    ok($r->{status} == 503 || $r->{json}{CommentID} eq "$cid$n",
        'surplus: nobody gets what it is not');
}


# by now it was tried often enough to know: what takes long is tried without a
# pause, so that the time until Redis is found is not that of both

my ($mute_since, $mute_tries) = (time, scalar $mute->commands);


# one that is lost as soon as it is ready is not tried as fast as can be

my $useless = Imagegram::FakeRedis->new($t->dir . '/useless.sock', sub {
    return "+PONG\r\n+OK\r\n";
});

ok(wait_for(sub { scalar $useless->commands }, 20), 'a useless server');

my ($lines, $tries) = (length $t->log, scalar(() = $useless->commands));

sleep 2;
cmp_ok(scalar(() = $useless->commands) - $tries, '<', 200, 'no race for it');
cmp_ok(length($t->log) - $lines, '<', 20_000, 'nor a flood of lines');


# gone; there again, but not ready; and well

$fake->stop;
$t->expect_log(qr{connect\(\) to unix:.*/fake\.sock failed});
is_problem($t->get('/empty/posts'), 503, 'the server is gone');

for my $answer ("-LOADING Redis is loading the dataset in memory\r\n",
    "-NOAUTH Authentication required.\r\n", "what?\r\n", '', \'')
{
    my ($name) = ref $answer ? 'closing' : $answer =~ /(\S+)/ ? $1 : 'silence';

    $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
        my ($n, @command) = @_;
        return $command[0] eq 'PING' ? $answer : $empty;
    });

    wait_for(sub { scalar $fake->commands }, 20);
    is_problem($t->get('/silent/posts'), 503, "PING: $name") for 1 .. 2;
    is_deeply([grep { !/ PING$/ } $fake->commands], [], 'no command is sent');
    $fake->stop;
}

$fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;
    return $command[0] eq 'PING' ? "+PONG\r\n" : $empty;
});

ok(wait_for(sub { $t->get('/empty/posts')->{status} == 200 }, 20),
    'and well again');
$fake->stop;


# a command that waits for a connection has no more time than others

my $slow = $t->dir . '/slow';

$fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    return $command[0] eq 'PING' ? "+PONG\r\n" : $empty if !-e $slow;
    return \'' if $command[0] ne 'PING' && unlink "$slow.close";
    return '' if $command[0] ne 'PING';

    sleep 2;
    return "+PONG\r\n";
});

ok(wait_for(sub { $t->get('/late/posts')->{status} == 200 }, 20), 'late: well');
spew($_, '') for $slow, "$slow.close";
is_problem($t->get('/late/posts'), 503, 'the connection is closed');

my $late = $t->get('/late/posts');

is_problem($late, 503, 'the next one is ready when its time is nearly over');
cmp_ok($late->{time}, '<', 3.8, 'but that was from when it was given');

my $rate = (scalar($mute->commands) - $mute_tries) / (time - $mute_since);

cmp_ok($rate, '>', 1.1,
    sprintf 'a mute one is tried %.2f times a second', $rate);

done_testing();
