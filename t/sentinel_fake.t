#!/usr/bin/perl

# Sentinels that are away, hang, answer nonsense, do not know the master or are
# behind; a master that became a replica, and one that is cut off.  Each
# scenario is the name of a master.  Failovers of real ones are in sentinel.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp spew wait_for);
use Imagegram::Assert;
use Imagegram::FakeRedis qw(bulk);
use Test::More;
use Time::HiRes qw(sleep time);


# Two masters that know nothing of each other, and a replica

sub redis {
    my (@arguments) = @_;

    my $redis = Imagegram->new;

    $redis->{redis} = ['--port', $redis->port, @arguments];
    $redis->start_redis;

    return $redis;
}

my ($a, $b) = (redis(), redis());
my $replica = redis('--replicaof 127.0.0.1', $a->port);

sub at   { "*2\r\n" . bulk($_[0]) . bulk($_[1]) }

# what is answered, and what the log says of it

my %bad = (
    nobody    => ["*-1\r\n", 'it knows no master of that name'],
    name      => [at('localhost', $a->port), 'name, not an address.*announce'],
    noport    => [at('127.0.0.1', 0), 'made no sense'],
    highport  => [at('127.0.0.1', 65536), 'made no sense'],
    one       => ["*1\r\n" . bulk('127.0.0.1'), 'made no sense'],
    numbers   => ["*2\r\n:1\r\n:2\r\n", 'made no sense'],
    nested    => ["*2\r\n*0\r\n*0\r\n", 'made no sense'],
    status    => ["+OK\r\n", 'made no sense'],
    garbage   => ["HTTP/1.1 400 Bad Request\r\n\r\n", 'made no sense'],
    message   => ["*3\r\n" . bulk('message') . bulk('x') . bulk('y'),
        'made no sense'],
    error     => ["-IDONTKNOW I have no idea\r\n", 'IDONTKNOW'],
    noauth    => ["-NOAUTH Authentication required.\r\n", 'NOAUTH'],
    silent    => ['', 'did not answer in time'],
    closing   => [\'*2', 'closed the connection'],
    replica   => [at('127.0.0.1', $replica->port), 'it is no master'],
);

my $file = $a->dir . '/moved';     # the port that is answered for "moving"

sub sentinel {
    my ($path, $good) = @_;

    my $asked = 0;    # on this connection: each has a process of its own

    return Imagegram::FakeRedis->new($path, sub {
        my ($n, @command) = @_;

        return "+PONG\r\n" if $command[0] eq 'PING';
        return "+OK\r\n" if $command[0] eq 'AUTH';
        return "-ERR unknown command\r\n"
            if "@command[0, 1]" ne 'SENTINEL get-master-addr-by-name';

        my $name = $command[2];

        return at('127.0.0.1', slurp($file)) if $name eq 'moving';
        return \'' if $name eq 'leaving' && !$good && $asked++ == 3;
        return at('::1', $a->port) if $name eq 'six';
        return at('127.0.0.1', $a->port) . "+OK\r\n" if $name eq 'surplus';
        return $bad{$name}[0] if $bad{$name} && !$good;
        return [split //, at('127.0.0.1', $a->port)];
    });
}

my @names = sort keys %bad;

my $t = Imagegram->new(
    redis    => undef,
    settings => { redis => 'sentinel:moving unix:%%DIR%%/bad.sock timeout=2s' },
    server   => join "\n", map { my $name = $_; map {
        "location /$_->[0]/ { imagegram;
            imagegram_redis sentinel:$name $_->[1]; }" }
        [$name, "unix:%%DIR%%/bad.sock timeout=2s"],
        ["next-$name", "timeout=2s unix:%%DIR%%/bad.sock
            unix:%%DIR%%/good.sock unix:%%DIR%%/none.sock"],
        ["last-$name", "timeout=2s unix:%%DIR%%/none.sock
            unix:%%DIR%%/bad.sock unix:%%DIR%%/good.sock"],
    } @names, qw(six fine surplus),
);

$t->{server} .= 'location /auth/ { imagegram; imagegram_redis sentinel:fine
    unix:%%DIR%%/bad.sock sentinel_username=watch sentinel_password=word
    username=imagegram password=secret; }
    location /leaving/ { imagegram; imagegram_redis sentinel:leaving
        unix:%%DIR%%/bad.sock unix:%%DIR%%/good.sock; }';

spew($file, $a->port);
chmod 0777, $t->dir;

my $bad = sentinel($t->dir . '/bad.sock', 0);
my $good = sentinel($t->dir . '/good.sock', 1);

# the user that the docs have is enough

my ($rule) = slurp($t->top . '/docs/directives.md')
    =~ /^ACL SETUSER (imagegram .*?)^```/ms;

$a->redis(qw(ACL SETUSER), split ' ', $rule);

my ($on_a) = $a->seed(1);
my ($on_b) = $b->seed(1);

$t->expect_log(qr{connect\(\) to unix:.*/\w+\.sock failed});
$t->start_nginx;

sub posts {
    my ($location) = @_;

    my $r = $t->get(defined $location ? "/$location/posts" : 'posts');

    return join ' ', $r->{status},
        map { $_->{PostID} } @{ ($r->{json} // {})->{posts} // [] };
}

# a connection to no sentinel, or to a bad one

for my $name (@names) {
    my $why = $bad{$name}[1];
    my $r = $t->get("/$name/posts");

    is_problem($r, 503, "$name: 503");
    cmp_ok($r->{time}, '<', 3.5, 'in time');

    # by the first reason that there is: on a slow machine it may be the time
    $why .= '|did not answer in time';
    ok(wait_for(sub { $t->log =~ /$name\b.* (?:lost: |answered ").*(?:$why)/ },
        10), 'which the log explains');
}

# the next one is asked

for my $name (@names) {
    is(posts("next-$name"), "200 $on_a", "$name: the next one is asked");
    ok(wait_for(sub { posts("last-$name") eq "200 $on_a" }, 10),
        'or the last one');
}

is(posts('fine'), "200 $on_a", 'one that is fine, in pieces');
ok(wait_for(sub { posts('surplus') eq "200 $on_a" }, 10), 'or says too much');
ok(wait_for(sub { $t->log =~ /the master is \[::1\]:\d+$/m }, 10), 'IPv6');

is(posts('auth'), "200 $on_a", 'one that wants a password, as does the master');
ok(scalar(grep { / AUTH watch word$/ } $bad->commands), 'gets it');

# the next one is asked at once when the connection to one is lost

sub asked {
    my ($sentinel) = @_;
    my %n = map { /^(\d+) SENTINEL \S+ leaving$/ ? ($1 => 1) : () }
        $sentinel->commands;
    return scalar keys %n;
}

ok(wait_for(sub { asked($good) }, 10), 'a sentinel leaves: the next one');

my $asked = asked($bad);

cmp_ok($asked, '<=', asked($good) + 1, 'they take turns');

# no flood: each is said once

for my $name (grep { !/error|noauth/ } @names) {
    my $n = () = $t->log =~ /redis sentinel(?: of |:)$name\b.* is lost/g;

    cmp_ok($n, '<', 7, "$name: said once for each connection, not each time");
}


# a master that is one no more by what the sentinel says, but does not know it:
# it is left

is(posts(), "200 $on_a", 'a master');
is($a->redis('ROLE')->[0], 'master', 'which stays one');

my $start = time;

spew($file, $b->port);
ok(wait_for(sub { posts() eq "200 $on_b" }, 10), 'another one is');
note(sprintf 'after %.2f s', time - $start);
is(posts(), "200 $on_b", 'it stays') for 1 .. 20;
like($t->log, qr/at 127\.0\.0\.1:\d+ is lost: another one is the master/,
    'it is said');

# one that has become a replica without closing its connections: the first write
# shows it, and it is not read from any more

my $comment = { author => 'ann', body => 'wow' };

$b->redis('REPLICAOF', '127.0.0.1', $a->port);
is($t->get('posts')->{status}, 200, 'a replica now, that nobody has noticed');
is_problem($t->json("posts/$on_b/comments", $comment), 503, 'no write');
ok(wait_for(sub { $t->log =~ /is lost: it is a replica now/ }, 10), 'is left');
ok(wait_for(sub { $t->log =~ /@{[ $b->port ]} is lost: it is no master/ },
    10), 'and looked through');
is_problem($t->get('posts'), 503, 'so nothing is read') for 1 .. 20;
spew($file, $a->port);
ok(wait_for(sub { posts() eq "200 $on_a" }, 10), 'until there is a master');
is($t->json("posts/$on_a/comments", $comment)->{status}, 201,
    'which is written');


# no sentinel is needed for a master that is well

$_->stop for $bad, $good;
sleep 1;
is(posts(), "200 $on_a", 'without sentinels: as it was') for 1 .. 5;
$a->stop_redis;
ok(wait_for(sub { posts() eq '503' }, 10), 'without a master, too: 503');
ok(wait_for(sub { $t->log =~ /sentinel:moving.*no sentinel says where/ }, 10),
    'for that reason');
cmp_ok($t->get('posts')->{time}, '<', 1, 'at once');
$a->start_redis;
$bad = sentinel($t->dir . '/bad.sock', 0);
ok(wait_for(sub { posts() =~ /^200 $on_a/ }, 10), 'both are back');

$t->finish;
done_testing();
