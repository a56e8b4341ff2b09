#!/usr/bin/perl

# A master that dies, with three real sentinels: writes go on at the next one,
# what was acknowledged is there, and nothing is acknowledged without a replica.
# One that hangs is in sentinel_stop.t, odd answers in sentinel_fake.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(wait_for);
use Imagegram::Assert;
use Imagegram::Sentinels;


my $cluster = Imagegram::Sentinels->new;

my $t = Imagegram->new(
    redis    => undef,
    workers  => 2,
    settings => {
        redis => 'sentinel:photos ' . join(' ', $cluster->addresses)
            . ' timeout=2s',
    },
)->start;

my $old = $cluster->master;

sub clients { scalar(() = Imagegram::Sentinels::clients($_[0])) }

sub asking {
    my ($n) = @_;
    return scalar grep { /cmd=sentinel\|get-master/ }
        split /\n/, $cluster->ask($n, qw(CLIENT LIST));
}


# the master is found

my $post = $t->post->{PostID};
my $expected = ($ENV{IMAGEGRAM_CACHE} // 'off') eq 'off' ? 2 : 3;

ok($t->comment($post), 'a post and a comment');
ok(wait_for(sub { clients($old) == $expected }, 10),
    'each worker is connected to the master');
is(clients($_), 0, 'and to no replica')
    for grep { $_ != $old } $cluster->servers;
ok(wait_for(sub { asking(0) >= 2 }, 10), 'and asks the first sentinel');
is(asking($_), 0, 'but no other one') for 1, 2;


# a sentinel dies

$cluster->kill_sentinel(0);
ok(wait_for(sub { asking(1) >= 2 }, 10), 'without it, the second one is asked');
ok($t->comment($post), 'and comments made');
is(clients($old), $expected, 'all the while on the same connections');


# The master dies while four clients write comments as fast as they can.  What
# was answered by 201 is in the new one: Redis writes to its replicas before it
# does to who asked, so a killed process is no harm.  A machine that is lost
# would be, see docs/directives.md.

my (%texts, %status, @clients);
my ($n, $slowest, $killed, $there, $well) = (0, 0);

sub next_comment {
    my ($client) = @_;

    $client->{text} = 'comment ' . $n++;
    $client->send($t->prepare('POST', "posts/$post/comments",
        json => { author => 'ann', body => $client->{text} }));
}

push @clients, $t->connect for 1 .. 4;
next_comment($_) for @clients;

my $end = time + 30;

while (time < $end) {
    Imagegram::HTTP::step(\@clients, 0.05);

    for my $client (grep { @{ $_->{responses} } } @clients) {
        my $r = $client->response;

        $status{ $r->{status} }++;
        $texts{ $client->{text} } = $r->{status};
        $slowest = $r->{time} if $r->{time} > $slowest;

        if ($there && $r->{status} == 201) {
            $well //= time;
        }

        next_comment($client);
    }

    if (!$killed && ($status{201} // 0) >= 200) {
        $old->stop_redis('KILL');
        $killed = time;
    }

    $there //= time if $killed && $cluster->master != $old;
    $end = time + 1 if $well && $end > time + 1;
    sleep 0.01 if $killed && !$there;
}

my $new = $cluster->master;

isnt($new, $old, 'another one is the master');
ok($well, 'and takes comments');
is_deeply([sort keys %status], [201, 503], 'no answer but 201 or 503');
cmp_ok($slowest, '<', 4, 'and none too late');
cmp_ok($well - $there, '<', 3, 'it was found soon');
note(sprintf 'dead for %.2f s, found after %.3f s, slowest answer %.2f s, %s',
    $there - $killed, $well - $there, $slowest,
    join ', ', map { "$status{$_} times $_" } sort keys %status);

my ($comments) = $t->walk("posts/$post/comments?limit=100");
my %found;

$found{ $_->{Body} }++ for @$comments;
is_deeply([grep { $texts{$_} == 201 && !$found{$_} } sort keys %texts], [],
    'no comment that was acknowledged is missing');
is_deeply([grep { ($found{$_} // 0) > 1 } sort keys %texts], [],
    'and none is twice');
is($t->get("posts/$post")->{json}{CommentCount}, scalar @$comments,
    'all are counted');


# without a replica nothing is acknowledged

my ($last) = grep { $_ != $old && $_ != $new } $cluster->servers;

ok(wait_for(sub { Imagegram::Sentinels::replicas($new) == 1 }, 20),
    'the new master has the other replica');

my $count = $t->get("posts/$post")->{json}{CommentCount};

$last->stop_redis('KILL');
ok(wait_for(sub { $t->json("posts/$post/comments",
    { author => 'ann', body => 'x' })->{status} == 503 }, 20),
    'and none: 503');
is_problem($t->json("posts/$post/comments", { author => 'ann', body => 'no' }),
    503, 'to all');
like($t->log, qr/answered "NOREPLICAS /, 'since there is no replica');
is($t->get("posts/$post")->{status}, 200, 'reading goes on');
unlike($t->get("posts/$post/comments")->{body}, qr/"no"/,
    'and what was refused is not there');

$last->start_redis;
ok(wait_for(sub { $t->json("posts/$post/comments",
    { author => 'ann', body => 'yes' })->{status} == 201 }, 30),
    'with a replica again: comments');

$t->finish;
$cluster->stop;
done_testing();
