#!/usr/bin/perl

# What a real Redis may do: requests get the right answer or 503, in time, and
# work again within a second of Redis's being back.  Replies that are spoiled
# are in redis_bytes.t, thousands of faults in redis_rounds.t; more is in
# redis.t and redis_fake.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(suspend wait_for);
use Imagegram::Faults;


my @image = (image => Imagegram::Image::png(2, 2));

my $t = Imagegram->new(
    workers  => 2,
    settings => { redis => '%%REDIS%% timeout=1s' },
)->start;

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});

my @posts = reverse $t->seed(30);

$t->comment($posts[0]);

my $page = page($t);

sub well { well_within_a_second($t, $page, @_) }

# Everything that changes something: refused, and without a trace

sub refuses_changes {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @files = $t->files;

    is_refused($t->form('posts', [author => 'a', body => 'b', @image]),
        "$name: no post");
    is_refused(comment($t, $posts[0], 'refused'), 'no comment');
    is_deeply([$t->files], \@files, 'no file is left');
    is(page($t), $page, 'and the page is as it was');
}


# away for some time, so that it is looked for as seldom as ever

$t->stop_redis;
wait_for(sub { $t->get('posts')->{status} == 503 }, 10);

my $end = time + 3;

while (time < $end) {
    my $r = $t->get('posts');

    is_refused($r, 'away: 503') if $r->{status} != 503 || $r->{time} > 1;
    sleep 0.01;
}

$t->start_redis;
well('back');


# it reads its data, slowly

$t->redis('BGREWRITEAOF');
wait_for(sub { $t->redis(qw(INFO persistence))
    =~ /aof_rewrite_in_progress:0.*aof_rewrite_scheduled:0/s }, 20);
$t->stop_redis;
$t->begin_redis('--key-load-delay 60000',
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
well('loaded', $back);


# it hangs, for longer than requests wait

my @clients = map { $t->connect } 1 .. 10;
my @answers;

suspend($t->redis_pid);
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
well('it goes on', $back);


# it is a replica, wants more replicas, has no room: it can be read from, and
# the connection is as good as it was

my $clients = sub { join ' ', $t->redis(qw(CLIENT LIST)) =~ /^id=(\d+)/mg };
my $before = $clients->();

$t->redis('REPLICAOF', '127.0.0.1', 1);
refuses_changes('a replica');
ok($t->log =~ /answered "READONLY /, 'READONLY');
$t->redis(qw(REPLICAOF NO ONE));
well('promoted');

$t->redis(qw(CONFIG SET min-replicas-to-write 1));
refuses_changes('too few replicas');
ok($t->log =~ /answered "NOREPLICAS /, 'NOREPLICAS');
$t->redis(qw(CONFIG SET min-replicas-to-write 0));
well('enough of them');

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
is(comment($t, $posts[0])->{status}, 201, 'room again: comments');
ok($t->post, 'and posts');
$page = page($t);
is($clients->(), $before, 'all on the same connections');


# the password is changed

$t->redis(qw(CONFIG SET requirepass other));
$t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
ok(wait_for(sub { $t->get('posts')->{status} == 503 }, 10), 'wrong password');
is_refused($t->get("posts/$posts[0]"), 'no post');
is_refused(comment($t, $posts[0]), 'no comment');
ok(wait_for(sub { $t->log =~ /answered "NOAUTH / }, 10), 'NOAUTH');
sleep 1.5;
$t->redis(qw(CONFIG SET requirepass), '');
well('right again');


# everything is deleted: soon nobody hears of it, from the cache neither

$t->redis('FLUSHALL');
sleep 0.15;
is(page($t), '{"posts":[]}', 'all is gone') for 1 .. 10;
is($t->get("posts/$posts[0]")->{status}, 404, 'no post');
is($t->get("posts/$posts[0]/comments")->{status}, 404, 'no comments');
is(comment($t, $posts[0])->{status}, 404, 'and none is made');
ok($t->comment($t->post->{PostID}), 'a new post');
is(scalar @{ $t->get('posts')->{json}{posts} }, 1, 'is the first');

done_testing();
