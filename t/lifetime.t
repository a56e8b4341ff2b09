#!/usr/bin/perl

# What is left of requests and processes when clients leave, when nginx reloads
# and quits: everything finished, nothing held.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive suspend wait_for);
use Test::More;


my $t = Imagegram->new(
    workers  => 2,
    settings => { redis => '%%REDIS%% timeout=50s' },
)->start;

sub descriptors {
    my %count = map { my @fds = glob "/proc/$_/fd/*"; ($_ => scalar @fds) }
        $t->worker_pids;
    return \%count;
}

sub total {
    my $sum = 0;
    $sum += $_ for values %{ descriptors() };
    return $sum;
}

# How many connections the workers hold, beside those that they always do

my $idle;

sub held { total() - $idle }

sub is_idle {
    my ($name) = @_;
    ok(wait_for(sub { held() == 0 }, 300), $name) or diag(held(), ' held');
}

sub connections_to_redis {
    my @clients = split /\n/, $t->redis(qw(CLIENT LIST));
    return @clients - 1;
}

my $id = $t->post->{PostID};
my $comments = "posts/$id/comments";
my @comment = ('POST', $comments, json => { author => 'a', body => 'b' });
my ($type, $body) = Imagegram::Body::multipart(author => 'a', body => 'b',
    image => Imagegram::Image::png(2, 2));
my @post = ('POST', 'posts', body => $body,
    headers => ['Content-Type' => $type]);

sub count { $t->get("posts/$id")->{json}{CommentCount} }

# so that both workers have all that they will have, such as their threads
{
    my @clients = map { $t->connect } 1 .. 30;

    $_->send($t->prepare('GET', 'posts?images=base64')) for @clients;
    Imagegram::HTTP::run(\@clients, 30);
    $_->close for @clients;

    my ($last, $same) = (0, 0);

    wait_for(sub {
        my $now = total();
        $same = $now == $last ? $same + 1 : 0;
        $last = $now;
        $same > 10;
    }, 30);
    $idle = total();
}


# clients leave while Redis hangs

suspend($t->redis_pid);

my @readers = map { $t->connect->send($t->prepare('GET', $_)) }
    ('posts', "posts/$id", $comments, "$comments/$id", 'posts?images=base64')
    x 8;
my @writers = map { $t->connect->send($t->prepare(@comment)) } 1 .. 6;

Imagegram::HTTP::step([@readers, @writers], 0.1) for 1 .. 5;
ok(wait_for(sub { held() == 46 }, 30), 'many requests wait for Redis')
    or diag(held());

$readers[$_]->close($_ % 2) for 0 .. 34;
ok(wait_for(sub { held() == 11 }, 15),
    'readers that leave are let go at once') or diag(held());

$_->close for @writers[0 .. 3];
Imagegram::HTTP::step([@readers[35 .. 39]], 0.1) for 1 .. 3;
kill 'CONT', $t->redis_pid;

is_deeply([map { $_->response->{status} } @readers[35 .. 39]],
    [200, 200, 200, 404, 200], 'who stays is answered');
is($_->response->{status}, 201, 'likewise who writes') for @writers[4, 5];
ok(wait_for(sub { count() == 6 }, 10), 'what was to be changed is changed')
    or diag(count());
$_->close for @readers[35 .. 39], @writers[4, 5];
undef $_ for @readers, @writers;
is_idle('and all connections are let go');


# clients leave in the middle of whatever they do

for my $round (1 .. 5) {
    my @clients = map { $t->connect } 1 .. 40;

    for my $n (0 .. $#clients) {
        my $c = $clients[$n];

        if ($n % 4 == 0) {
            $c->write("POST /$comments HTTP/1.1\r\nHost: x\r\n"
                . "Content-Type: application/json\r\n"
                . "Content-Length: 100\r\n\r\n{\"author\":");
        } elsif ($n % 4 == 1) {
            $c->send($t->prepare('GET', 'posts?images=base64'));
        } elsif ($n % 4 == 2) {
            $c->send($t->prepare(@comment));
        } else {
            $c->send($t->prepare(@post));
        }
    }

    Imagegram::HTTP::step(\@clients, 0.01) for 1 .. $round;
    $clients[$_]->close($_ % 3 == 0) for 0 .. $#clients;
}

is_idle('who leaves in the middle holds nothing');

my ($posts) = $t->walk('posts?limit=100');

is(scalar(grep { $t->get($_->{Image})->{status} != 200 } @$posts), 0,
    'each post that was made all the same has its image');
is(count(), scalar @{ ($t->walk("$comments?limit=100"))[0] },
    'each comment counts');


# no descriptor, no connection more after hundreds of requests

my @requests = (
    ['GET', 'posts'], ['GET', "posts/$id"], ['GET', 'none'],
    ['GET', 'posts?limit=x'], ['PUT', 'posts', body => 'x'], [@comment],
    ['POST', $comments, body => 'x'], ['GET', 'posts?images=base64&limit=3'],
    ['POST', $comments, json => {}], ['POST', 'posts', body => 'x'],
    ['DELETE', "$comments/$id"], ['HEAD', 'posts'], ['OPTIONS', 'posts'],
    ['POST', $comments, body => 'x' x 50_000, headers =>
        ['Content-Type' => 'application/json']],
);

for my $round (1 .. 25) {
    $t->request($_->[0], @$_[1 .. $#$_]) for @requests;
}

$t->request($post[0], @post[1 .. $#post]) for 1 .. 20;
$t->delete("posts/$_") for $t->seed(20);
is_idle('as many descriptors after 390 requests as before');

my $subscriptions = ($ENV{IMAGEGRAM_CACHE} // 'off') ne 'off';

is(connections_to_redis(), 2 + $subscriptions,
    'one connection to Redis a worker, and one for the cache');


# reload under load: every request on a new connection is answered

my @started = $t->worker_pids;
my %statuses;
my $reloads = 0;

for my $round (1 .. 60) {
    my @clients = map { $t->connect } 1 .. 6;
    my @what = (['GET', 'posts'], [@comment], [@post], ['GET', "posts/$id"],
        ['GET', 'posts?images=base64&limit=2'], ['GET', $comments]);

    $clients[$_]->send($t->prepare(@{ $what[$_] })) for 0 .. $#what;
    kill 'HUP', $t->nginx_pid if $round % 15 == 1;
    Imagegram::HTTP::run(\@clients, 60);
    $statuses{ $_->response->{status} }++ for @clients;
}

is_deeply([sort keys %statuses], [200, 201], 'no request fails in a reload')
    or diag(explain(\%statuses));
ok(wait_for(sub { !grep { alive($_) } @started }, 60),
    'the old workers leave');
ok(wait_for(sub { $t->worker_pids == 2 }, 60), 'two are left');
ok(wait_for(sub { connections_to_redis() == 2 + $subscriptions }, 30),
    'with a connection to Redis each');
ok(wait_for(sub { $t->converter_pids == 2 }, 30), 'and a converter each');


# reload and quit while requests wait

sub wait_across {
    my ($signal) = @_;

    my $before = count();

    suspend($t->redis_pid);

    my @clients = map { $t->connect->send($t->prepare(@$_)) }
        (['GET', 'posts'], [@comment], ['GET', "posts/$id"]) x 5;

    Imagegram::HTTP::step(\@clients, 0.1) for 1 .. 5;
    kill $signal, $t->nginx_pid;
    Imagegram::HTTP::step(\@clients, 0.1) for 1 .. 5;
    kill 'CONT', $t->redis_pid;
    Imagegram::HTTP::run(\@clients, 60);

    my %statuses;

    $statuses{ $_->response->{status} }++ for @clients;
    is_deeply(\%statuses, { 200 => 10, 201 => 5 },
        "requests that wait finish across $signal");

    return $before;
}

@started = $t->worker_pids;

my $before = wait_across('HUP');

is(count(), $before + 5, 'and what they changed is changed');
ok(wait_for(sub { !grep { alive($_) } @started }, 60),
    'the old workers leave');

@started = ($t->worker_pids, $t->converter_pids, $t->nginx_pid);
cmp_ok(scalar @started, '>=', 5, 'master, workers, converters');
wait_across('QUIT');
ok(wait_for(sub { !grep { alive($_) } @started }, 60), 'all of them leave');
delete $t->{nginx};

$t->start_nginx;
is(count(), $before + 10, 'the next nginx serves what was changed');


# worker_shutdown_timeout, while Redis hangs

$t->reload(main => 'worker_shutdown_timeout 1s;');
@started = ($t->worker_pids, $t->converter_pids);
suspend($t->redis_pid);

my @cut = map { $t->connect->send($t->prepare(@$_)) } (['GET', 'posts'],
    [@comment]) x 3;

Imagegram::HTTP::step(\@cut, 0.1) for 1 .. 3;
$t->reload;
ok(wait_for(sub { !grep { alive($_) } @started }, 30),
    'the old workers leave before the timeout of Redis');
kill 'CONT', $t->redis_pid;
Imagegram::HTTP::run(\@cut, 30);
like($_->response->{status}, qr/^(?:0|503)$/, 'who waited is cut off')
    for @cut;
ok(wait_for(sub { count() }, 30), 'the new ones serve');


# nothing runs, so nothing is waited for

@started = ($t->worker_pids, $t->converter_pids, $t->nginx_pid);
kill 'QUIT', $t->nginx_pid;
ok(wait_for(sub { !grep { alive($_) } @started }, 30),
    'QUIT does not wait for the timeout of what was answered');
delete $t->{nginx};
$t->start_nginx;


# a fast end

@started = ($t->worker_pids, $t->converter_pids, $t->nginx_pid);
suspend($t->redis_pid);

my @clients = map { $t->connect->send($t->prepare(@comment)) } 1 .. 5;

Imagegram::HTTP::step(\@clients, 0.1) for 1 .. 3;
$t->stop_nginx('TERM');
kill 'CONT', $t->redis_pid;
ok(wait_for(sub { !grep { alive($_) } @started }, 60),
    'TERM ends it, whoever waits');

done_testing();
