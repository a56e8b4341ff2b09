#!/usr/bin/perl

# What a real Redis may do, and a proxy to one: requests get the right answer or
# 503, in time, and work again within a second of Redis's being back.  More is
# in redis.t and redis_fake.t; all of it thousands of times in redis_rounds.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(wait_for);
use Imagegram::Assert;
use Imagegram::RedisProxy;


my @image = (image => Imagegram::Image::png(2, 2));
my ($t, $proxy, @posts, $page);

# Two workers; a proxy where a test wants it

sub fresh {
    my (%options) = @_;

    my $proxied = delete $options{proxied};

    undef $proxy;
    $t->finish if $t;

    $t = Imagegram->new(
        workers  => 2,
        settings => { redis => $proxied ? 'unix:%%DIR%%/proxy.sock timeout=1s'
            : '%%REDIS%% timeout=1s', %{ $options{settings} // {} } },
    );
    $t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
    $t->start_redis;

    $proxy = Imagegram::RedisProxy->new($t->dir . '/proxy.sock',
        $t->redis_socket) if $proxied;

    $t->start_nginx;
    @posts = reverse $t->seed(30);
    $t->comment($posts[0]);
    $page = feed();
}

sub feed    { $t->get('posts?limit=100')->{body} }
sub comment { $t->json("posts/$_[0]/comments",
    { author => 'ann', body => $_[1] // 'wow' }) }

# Each of many requests gets the page as it is, so each worker is well.  What
# is promised is a second; the rest is for a slow machine.

sub well_within_a_second {
    my ($name, $since) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $since //= time;

    ok(wait_for(sub { !grep { feed() ne $page } 1 .. 20 }, 20), "$name: well");

    my $time = time - $since;

    cmp_ok($time, '<', 2.5, sprintf 'after %.2f s', $time);
}

sub is_refused {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_problem($r, 503, $name);
    cmp_ok($r->{time}, '<', 3, 'in time');
}

# Everything that changes something: refused, and without a trace

sub refuses_changes {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @files = $t->files;

    is_refused($t->form('posts', [author => 'a', body => 'b', @image]),
        "$name: no post");
    is_refused(comment($posts[0], 'refused'), 'no comment');
    is_deeply([$t->files], \@files, 'no file is left');
    is($t->get('posts?limit=100')->{body}, $page, 'and the page is as it was');
}


# away for some time, so that it is looked for as seldom as ever

fresh();
$t->stop_redis;
wait_for(sub { $t->get('posts')->{status} == 503 }, 10);

my $end = time + 3;

while (time < $end) {
    my $r = $t->get('posts');

    is_refused($r, 'away: 503') if $r->{status} != 503 || $r->{time} > 1;
    sleep 0.01;
}

$t->start_redis;
well_within_a_second('back');


# it reads its data, slowly

$t->redis('BGREWRITEAOF');
wait_for(sub { $t->redis(qw(INFO persistence))
    =~ /aof_rewrite_in_progress:0.*aof_rewrite_scheduled:0/s }, 20);
$t->stop_redis;
$t->launch_redis('--key-load-delay 60000',
    '--loading-process-events-interval-bytes 1024');

my ($asked, $wrong, $slowest) = (0, 0, 0);

ok(wait_for(sub { eval { $t->redis(qw(INFO persistence)) } }, 20),
    'Redis is started');

while ($t->redis(qw(INFO persistence)) =~ /^loading:1/m) {
    my $r = $t->get('posts?limit=100');

    $asked++;
    $wrong++ if $r->{status} != 503;
    $slowest = $r->{time} if $r->{time} > $slowest;
    sleep 0.02;
}

my $back = time;

cmp_ok($asked, '>', 5, "and asked $asked times while it is loading");
is($wrong, 0, 'which it refuses');
cmp_ok($slowest, '<', 3, 'in time');
well_within_a_second('loaded', $back);


# it hangs, for longer than requests wait

my @clients = map { $t->connect } 1 .. 10;
my @answers;

kill 'STOP', $t->redis_pid;
$end = time + 3;

while (time < $end) {
    $_->send($t->prepare('GET', 'posts?limit=100')) for @clients;
    Imagegram::HTTP::run(\@clients, 30);
    push @answers, map { $_->response } @clients;
    sleep 0.05;
}

kill 'CONT', $t->redis_pid;
$back = time;

is(scalar(grep { $_->{status} == 503
    || $_->{status} == 200 && $_->{body} eq $page } @answers),
    scalar @answers, 'it hangs: 503, or what was known');
is(scalar(grep { $_->{time} > 3 } @answers), 0, 'in time');
well_within_a_second('it goes on', $back);


# it is a replica, wants more replicas, has no room: it can be read from, and the
# connection is as good as it was

my $clients = sub { join ' ', $t->redis(qw(CLIENT LIST)) =~ /^id=(\d+)/mg };
my $before = $clients->();

$t->redis('REPLICAOF', '127.0.0.1', 1);
refuses_changes('a replica');
ok($t->log =~ /answered "READONLY /, 'READONLY');
$t->redis(qw(REPLICAOF NO ONE));
well_within_a_second('promoted');

$t->redis(qw(CONFIG SET min-replicas-to-write 1));
refuses_changes('too few replicas');
ok($t->log =~ /answered "NOREPLICAS /, 'NOREPLICAS');
$t->redis(qw(CONFIG SET min-replicas-to-write 0));
well_within_a_second('enough of them');

$t->redis(qw(CONFIG SET maxmemory 1));
refuses_changes('no room');
ok($t->log =~ /answered "OOM /, 'OOM');

# a deletion makes room, so Redis may let it through, but not half of it

my $r = $t->get("posts/$posts[0]/comments");
my $comment = $r->{json}{comments}[0]{CommentID};

$r = $t->delete("posts/$posts[0]/comments/$comment");
like($r->{status}, qr/^(?:200|503)$/, 'a deletion');

my $left = $r->{status} == 200 ? 0 : 1;

is($t->get("posts/$posts[0]")->{json}{CommentCount}, $left, 'is counted');
is(scalar @{ $t->get("posts/$posts[0]/comments")->{json}{comments} }, $left,
    'and done, or not');

$t->redis(qw(CONFIG SET maxmemory 0));
is(comment($posts[0])->{status}, 201, 'room again: comments');
ok($t->post, 'and posts');
$page = feed();
is($clients->(), $before, 'all on the same connections');


# the password is changed

$t->redis(qw(CONFIG SET requirepass other));
$t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
ok(wait_for(sub { $t->get('posts')->{status} == 503 }, 10), 'wrong password');
is_refused($t->get("posts/$posts[0]"), 'no post');
is_refused(comment($posts[0]), 'no comment');
ok($t->log =~ /answered "NOAUTH /, 'NOAUTH');
sleep 1.5;
$t->redis(qw(CONFIG SET requirepass), '');
well_within_a_second('right again');


# everything is deleted: soon nobody hears of it, from the cache neither

$t->redis('FLUSHALL');
sleep 0.15;
is(feed(), '{"posts":[]}', 'all is gone') for 1 .. 10;
is($t->get("posts/$posts[0]")->{status}, 404, 'no post');
is($t->get("posts/$posts[0]/comments")->{status}, 404, 'no comments');
is(comment($posts[0])->{status}, 404, 'and none is made');
ok($t->comment($t->post->{PostID}), 'a new post');
is(scalar @{ $t->get('posts')->{json}{posts} }, 1, 'is the first');


# replies in pieces of one byte, with the cache on and off

for my $cache ('off', 'zone=feed:1m') {
    fresh(proxied => 1, settings => { cache => $cache });
    $proxy->pieces;

    is(feed(), $page, "byte by byte, cache $cache: a page") for 1 .. 5;

    my $post = $t->post->{PostID};
    my $id = $t->comment($post)->{CommentID};

    is($t->get('posts?limit=1')->{json}{posts}[0]{PostID}, $post, 'a post');
    is($t->get("posts/$post/comments")->{json}{comments}[0]{CommentID}, $id,
        'comments');
    is($t->get("posts/$post/comments/$id")->{json}{CommentID}, $id, 'one');
    is($t->delete("posts/$post/comments/$id")->{status}, 200, 'no comment');
    is($t->delete("posts/$post")->{status}, 204, 'no post');
    $t->redis(qw(SCRIPT FLUSH));
    is(feed(), $page, 'no scripts') for 1 .. 5;
}


# a reply that is cut anywhere, or continued by what is none

fresh(proxied => 1, settings => { cache => 'off' });

my @garbage = ("\0\xff\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\$-7\r\n\r\n",
    "*99999999999\r\n", "\x80" x 70_000);

for my $case ((map { [$_, ''] } 0, 1, 3, 4, 9, 40, 2000),
    map { [0, $_], [4, $_] } @garbage)
{
    my ($n, $bytes) = @$case;

    $proxy->spoil('+inf', $n, $bytes);

    my $name = "$n bytes and then " . length($bytes) . ' others';
    my $r = $t->get('posts?limit=100');

    is_refused($r, $name) if $r->{status} != 200 || $r->{body} ne $page;
    isnt($r->{status}, 200, 'no page of it');
    well_within_a_second($name);
}

# a change that was made, of which nobody heard: its key finds out

for my $n (0, 4, 30) {
    my @key = (headers => ['Idempotency-Key' => "key-$n"]);
    my @comment = ("posts/$posts[1]/comments",
        { author => 'ann', body => "spoiled $n" });

    $proxy->spoil("spoiled $n", $n, '');
    is_refused($t->json(@comment, @key), "a comment, cut after $n bytes");

    my $r;

    ok(wait_for(sub { $r = $t->json(@comment, @key); $r->{status} == 201 }, 20),
        'is there when asked for again');
    is(scalar(grep { $_->{Body} eq "spoiled $n" }
        @{ $t->get("posts/$posts[1]/comments")->{json}{comments} }), 1, 'once');
}


# the same to the cache, and to its subscription

fresh(proxied => 1, settings => { cache => 'zone=feed:1m' });

sub cached {
    return wait_for(sub {
        $t->get('posts?limit=100') for 1 .. 4;
        my $before = $proxy->seen('+inf');
        $t->get('posts?limit=100') for 1 .. 10;
        $proxy->seen('+inf') == $before;
    }, 20);
}

ok(cached(), 'pages are cached');

for my $bytes (@garbage, "+OK\r\n", "*3\r\n\$7\r\nmessage\r\n:1\r\n:2\r\n") {
    my $name = length($bytes) . ' bytes on the subscription';

    $before = $proxy->seen('SUBSCRIBE');
    $proxy->inject('SUBSCRIBE', $bytes);
    is(feed(), $page, "$name: a page") for 1 .. 5;
    ok(wait_for(sub { $proxy->seen('SUBSCRIBE') > $before }, 20),
        'it is made anew');

    my ($id) = $t->seed(1);

    sleep 0.15;
    like(feed(), qr/$id/, 'and a change is seen');
    $page = feed();
}

for my $case ([0, ''], [7, ''], [0, $garbage[1]], [9, $garbage[0]]) {
    my ($n, $bytes) = @$case;

    ok(cached(), 'pages are cached');
    $before = $proxy->seen('SUBSCRIBE');
    $proxy->spoil('PUBLISH', $n, $bytes);

    my @wrong = grep { $_->{status} != 503 && $_->{body} ne $page }
        map { $t->get('posts?limit=100') } 1 .. 20;

    is(scalar @wrong, 0, "a beat's answer, spoiled after $n bytes");
    well_within_a_second('it');
}

$t->finish;
done_testing();
