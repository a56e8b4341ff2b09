#!/usr/bin/perl

# A Redis that does not accept connections, or does not read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET ();
use Test::More;

use Imagegram qw(suspend wait_for);
use Imagegram::Assert;
use Imagegram::FakeRedis;


# --- a port where nobody accepts: connections neither come about nor fail

my $t = Imagegram->new(
    settings => { redis => '127.0.0.1:%%PORT_2%% connect_timeout=1s' },
    server   => 'location /patient/ { imagegram; imagegram_redis
        127.0.0.1:%%PORT_2%% connect_timeout=1m timeout=1s; }',
);

my $port = $t->port(2);
my $listening = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
    LocalAddr => '127.0.0.1', LocalPort => $port) or die "listen: $!\n";
my @waiting;

# until one of them has to wait

do {
    push @waiting, IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Blocking => 0) or die "connect: $!\n";
    @waiting < 20 or die "whoever comes is let in\n";
} while wait_for(sub { $waiting[-1]->connected }, 1);

$t->start_nginx;

my $r = $t->get('posts');

is_problem($r, 503, 'nobody accepts');
is_problem($t->get('posts'), 503, 'and again');
ok(wait_for(sub {
    index($t->log, "redis 127.0.0.1:$port is lost: connecting timed out") >= 0;
}, 30), 'which is said');

$r = $t->get('/patient/posts');
is_problem($r, 503, 'who has a minute for it');
cmp_ok($r->{time}, '<', 20, 'is told when a command has none left');

# it becomes a Redis

close $_ for splice(@waiting), $listening;
$t->{redis} = ['--port', $port];
$t->start_redis;

ok(wait_for(sub { $t->get($_)->{status} == 200 }, 60), "$_: it is there")
    for '/posts', '/patient/posts';
$t->finish;


# --- one that does not read: what is sent to it has to wait in nginx

$t = Imagegram->new(
    settings => { redis => '%%REDIS%% timeout=50s' },
    http     => 'imagegram_max_body 16384;',
)->start;

my $post = $t->post->{PostID};
my $text = "\xf0\x9f\x8c\x85" x 16_384;
my $body = qq({"author":"ann","body":"$text"});

suspend($t->redis_pid);

my @clients = map { $t->connect->send(method => 'POST', body => $body,
    path    => "/posts/$post/comments",
    headers => ['Content-Type' => 'application/json']) } 1 .. 24;

$_->flush for @clients;
Imagegram::HTTP::step(\@clients, 0.1) for 1 .. 5;
is((() = grep { @{ $_->{responses} } } @clients), 0,
    'many long comments for one that does not read');
kill 'CONT', $t->redis_pid;
is_deeply([grep { $_ != 201 } map { $_->response->{status} } @clients], [],
    'all of them are made once it does');
is($t->get("posts/$post")->{json}{CommentCount}, 24, 'each of them once');

my ($comments) = $t->walk("posts/$post/comments?limit=10");

is((() = grep { length $_->{Body} == 16_384 } @$comments), 24, 'and whole');
is($t->comment($post)->{Body}, 'wow', 'and the next one');

$t->finish;


# --- one whose connection takes long: who left meanwhile is not asked for

my $id = '83df3a6c-1487-41c5-815a-faef8c154816';
my $cid = '00000000-0000-4000-8000-000000000000';

$t = Imagegram->new(
    redis    => undef,
    settings => { redis => 'unix:%%DIR%%/fake.sock timeout=30s',
        cache => 'off' },
);

my $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    sleep 3 if $n == 2 && $command[0] eq 'PING';

    return "+PONG\r\n" if $command[0] eq 'PING';
    return ":1\r\n" if "@command" =~ /:storages \S+:feed /;
    return $n == 1 ? \'' : "*1\r\n\$-1\r\n";
});

$t->expect_log(qr{connect\(\) to unix:.*/fake\.sock failed});
$t->start_nginx;
ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'the storage is known');
is_problem($t->get('posts'), 503, 'it closes the connection');

my $leaving = $t->connect->send(method => 'GET',
    path => "/posts/$id/comments/$cid")->flush;
my $staying = $t->connect->send(method => 'GET', path => '/posts')->flush;

Imagegram::HTTP::step([$leaving, $staying], 0.1) for 1 .. 3;
is((() = $fake->commands), (() = grep { / PING$|^1 / } $fake->commands),
    'both wait for another one');
$leaving->close;
is($staying->response->{status}, 200, 'who stays is answered');
is_deeply([grep { /$cid/ } $fake->commands], [], 'who left is not asked for');

done_testing();
