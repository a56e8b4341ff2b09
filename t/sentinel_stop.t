#!/usr/bin/perl

# A master that hangs, with three real sentinels, and is a master still when it
# goes on: nobody hears of it any more, nor does the cache.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(suspend wait_for);
use Imagegram::Assert;
use Imagegram::Sentinels;


my $cluster = Imagegram::Sentinels->new;
my $sentinels = join ' ', $cluster->addresses;

my $t = Imagegram->new(
    redis    => undef,
    workers  => 2,
    settings => {
        redis => "sentinel:photos $sentinels timeout=1s",
        cache => 'zone=feed:1m',
    },
    server   => "location /wrong/ { imagegram; imagegram_cache off;
        imagegram_redis sentinel:nobody $sentinels; }",
)->start;

my $old = $cluster->master;
my @posts = $old->seed(3);

sub clients { scalar(() = Imagegram::Sentinels::clients($_[0])) }

# how many scripts a server was asked for

sub scripts {
    my ($server) = @_;

    my $calls = 0;

    $calls += $_ for Imagegram::Sentinels::redis($server,
        qw(INFO commandstats)) =~ /cmdstat_eval\w*:calls=(\d+)/g;

    return $calls;
}

sub cached {
    my ($server) = @_;

    return wait_for(sub {
        $t->get('posts') for 1 .. 4;
        my $before = scripts($server);
        my @bad = grep { $t->get('posts')->{status} != 200 } 1 .. 10;
        !@bad && scripts($server) == $before;
    }, 20);
}

sub comment {
    my ($post, $text) = @_;
    return $t->json("posts/$post/comments", { author => 'ann', body => $text });
}


# a name that no sentinel knows

is_problem($t->get('/wrong/posts'), 503, 'a wrong name: 503');
ok(wait_for(sub { $t->log =~ /sentinel of nobody at .*: it knows no master / },
    10), 'which the log explains');


# the master hangs; requests that it has wait no longer than its time

ok(comment($posts[0], 'early')->{status} == 201, 'a comment');
ok(cached($old), 'and pages are cached');
wait_for(sub { Imagegram::Sentinels::replicas($old) == 2 }, 20);

suspend($old->redis_pid);

my $stopped = time;
my @clients = map { $t->connect } 1 .. 20;

$_->send($t->prepare('GET', "posts/$posts[0]/comments"))
    for @clients[0 .. 9];
$_->send($t->prepare('POST', "posts/$posts[0]/comments",
    json => { author => 'ann', body => 'lost' })) for @clients[10 .. 19];
Imagegram::HTTP::run(\@clients, 30);

my @answers = map { $_->response } @clients;

is(scalar(grep { $_->{status} == 503 } @answers), 20, 'it hangs: 503');
is(scalar(grep { $_->{time} > 3 } @answers), 0, 'in time');


# another one takes over, while this one still believes to be it

my ($slowest, $bad) = (0, 0);
my $answer;

wait_for(sub {
    $answer = comment($posts[0], 'new');
    $slowest = $answer->{time} if $answer->{time} > $slowest;
    $bad++ if $answer->{status} !~ /^(?:201|503)$/;
    $answer->{status} == 201;
}, 30);

is($answer->{status}, 201, 'another one takes comments');
cmp_ok($slowest, '<', 3, 'no answer before was too late');
is($bad, 0, 'or anything but 503');
note(sprintf 'after %.2f s, slowest answer %.2f s', time - $stopped, $slowest);

my $new = $cluster->master;

isnt($new, $old, 'by what the sentinels say, too');

kill 'CONT', $old->redis_pid;
is($old->redis('ROLE')->[0], 'master', 'the old one goes on as a master');

my %seen;

for (1 .. 100) {
    for my $path ("posts/$posts[0]/comments", 'posts') {
        my $r = $t->get($path);

        $seen{"$path $r->{status}"}++;
        $seen{"$path old"}++ if $r->{body} !~ /"new"/;
    }

    sleep 0.01;
}

is_deeply([sort grep { !/ 200$/ } keys %seen], [], 'and nobody hears of it');
is(clients($old), 0, 'or is connected to it');


# the cache follows

ok(wait_for(sub { clients($new) == 3 }, 20),
    'there are a connection for each worker and one to listen');
ok(cached($new), 'pages are cached again');

for my $n (1 .. 5) {
    is(comment($posts[1], "number $n")->{status}, 201, 'a comment');
    like($t->get('posts')->{body}, qr/"number $n"/, 'is in the next page')
        for 1 .. 4;
}

eval { $new->redis('PING') };    # a connection that was closed, if so

my ($id) = $new->seed(1);

sleep 0.3;
like($t->get('posts')->{body}, qr/$id/, 'and so is a change by others');


# the sentinels tell the old one at last

ok(wait_for(sub { Imagegram::Sentinels::redis($old, 'ROLE')->[0] eq 'slave' },
    30), 'the old one becomes a replica');
is(comment($posts[2], 'last')->{status}, 201, 'and all is well');

my ($comments) = $t->walk("posts/$posts[0]/comments?limit=100");

is_deeply([map { $_->{Body} } @$comments], ['new', 'early'],
    'what it did late is gone with the rest of it');

$t->finish;
$cluster->stop;
done_testing();
