#!/usr/bin/perl

# Two nginx of four workers each on one Redis, both with the cache: eight
# clients comment, eight read, while the subscriptions are cut and Redis is
# restarted.  A page that is asked for after a comment was answered has it,
# where both were asked of the same nginx; after 100 ms whichever it was.
#
# IMAGEGRAM_SECONDS makes it longer, IMAGEGRAM_SEED repeats what is random.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Handle ();
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(slurp wait_for);

use constant { WRITERS => 8, READERS => 8 };


my $seconds = $ENV{IMAGEGRAM_SECONDS} // 20;
my $seed = $ENV{IMAGEGRAM_SEED} // time % 1_000_000;

diag("IMAGEGRAM_SEED=$seed");

my @options = (
    workers  => 4,
    settings => { cache => 'zone=feed:1m',
        redis => 'unix:%%DIR%%/redis/redis.sock timeout=2s' },
    http     => 'keepalive_requests 1000000;',
);

# it is killed, and what was answered must be there afterwards

my $t = Imagegram->new(@options, redis => ['--appendfsync always'])->start;
my $second = Imagegram->new(@options, redis => undef);

rmdir $second->dir . '/redis';
symlink $t->dir . '/redis', $second->dir . '/redis' or die "symlink: $!\n";
$second->start;

my @nginx = ($t, $second);
my @posts = $t->seed(WRITERS);

# of each post how many comments were answered, eight bytes each

my $counts = $t->dir . '/counts';

Imagegram::spew($counts, pack 'Q*', (0) x @posts);

sub counts { unpack 'Q*', slurp($counts) }


# A writer has a post of its own, so it alone knows how many comments that has;
# one whose answer got lost counts as none, until a later one is answered.

sub writer {
    my ($n, $end) = @_;

    my $nginx = $nginx[$n % 2];
    my ($client, $answered, $sent) = (undef, 0, 0);

    open my $file, '+<', $counts or die "$counts: $!\n";

    while (time < $end) {
        $client //= eval { $nginx->connect } or next;

        my $r = $client->request($nginx->prepare('POST',
            "posts/$posts[$n]/comments",
            json => { author => 'ann', body => 'comment ' . ++$sent }));

        if ($r->{status} == 201) {
            sysseek $file, 8 * $n, 0;
            syswrite $file, pack 'Q', ++$answered;

        } elsif ($r->{status} == 0) {
            undef $client;

        } elsif ($r->{status} != 503) {
            return ($answered, "a comment got $r->{status}");
        }

        sleep 0.004 * rand;
    }

    return $answered;
}


# Gives how often it read, and what was wrong; a writer likewise.

sub reader {
    my ($n, $end) = @_;

    my $which = $n % 2;
    my $nginx = $nginx[$which];
    my ($client, $pages, @history, @wrong) = (undef, 0);
    my @gzip = $n % 4 == 3 ? (headers => ['Accept-Encoding' => 'gzip']) : ();

    while (time < $end) {
        $client //= eval { $nginx->connect } or next;

        my $now = time;
        my @all = counts();

        push @history, [$now, @all];
        shift @history while @history > 1 && $history[1][0] < $now - 0.1;

        my ($since, @before) = @{ $history[0] };

        @before = (0) x @posts if $since > $now - 0.1;

        my $r = $client->request(method => 'GET', path => '/posts', @gzip);

        undef $client if !$r->{status};
        next if $r->{status} != 200;

        $pages++;
        push @wrong, wrong($r, $which, \@all, \@before);
        last if @wrong > 5;
        sleep 0.001 * rand;
    }

    return ($pages, @wrong);
}


sub wrong {
    my ($r, $which, $all, $before) = @_;

    if (($r->{headers}{'content-encoding'} // '') eq 'gzip') {
        require IO::Uncompress::Gunzip;
        IO::Uncompress::Gunzip::gunzip(\$r->{body}, \my $text)
            or return 'not gzip';
        $r->{json} = JSON::PP::decode_json($text);
    }

    my $posts = ($r->{json} // return 'no JSON')->{posts};

    return @$posts . ' posts' if @$posts != WRITERS;

    my %post = map { $_->{PostID} => $_ } @$posts;
    my $last = 9e15;
    my @wrong;

    for my $post (@$posts) {
        push @wrong, 'not sorted' if $post->{CommentCount} > $last;
        $last = $post->{CommentCount};
        push @wrong, 'torn' if $post->{Version} != $post->{CommentCount}
            || @{ $post->{LastComments} } != ($last > 2 ? 2 : $last);
    }

    for my $n (0 .. $#posts) {
        my $count = $post{ $posts[$n] }{CommentCount};
        my $least = $n % 2 == $which ? $all->[$n] : $before->[$n];

        push @wrong, "$count comments on post $n, not $least"
            . ($n % 2 == $which ? '' : ', through the other nginx')
            if $count < $least;
    }

    return @wrong;
}


# --- all of it at once

my $end = time + $seconds;
my (@readers, @writers);

for my $n (0 .. READERS - 1) {
    push @readers, process($n, sub { reader($n, $end) });
}

for my $n (0 .. WRITERS - 1) {
    push @writers, process(100 + $n, sub { writer($n, $end) });
}

# what a process gives comes back over a pipe, a line each

sub process {
    my ($n, $work) = @_;

    pipe my $from, my $to or die "pipe: $!\n";
    defined(my $pid = fork) or die "fork: $!\n";

    if ($pid == 0) {
        srand $seed + $n;
        print {$to} map { "$_\n" } $work->();
        $to->flush;
        POSIX::_exit(0);
    }

    close $to;

    return { pid => $pid, from => $from };
}

my ($cuts, $restarts) = (0, 0);

srand $seed;
$_->expect_log(qr/connect\(\) to unix:/) for @nginx;

while (time < $end - 2) {
    sleep 0.3 + rand;

    if (rand() < 0.15 || !$restarts && time > $end - $seconds / 2) {
        $t->stop_redis(rand() < 0.5 ? 'KILL' : 'TERM');
        sleep 0.2 * rand;
        $t->start_redis;
        $restarts++;

    } else {
        $cuts += $t->redis(qw(CLIENT KILL TYPE pubsub)) // 0;
    }
}

my ($pages, $comments, @wrong) = (0, 0);

for my $process (@readers, @writers) {
    chomp(my ($count, @more) = readline $process->{from});
    waitpid $process->{pid}, 0;

    is($?, 0, 'a client came to its end');
    push @wrong, @more;
    ($process->{pid} == $_->{pid} and $pages += $count) for @readers;
    ($process->{pid} == $_->{pid} and $comments += $count) for @writers;
}

is_deeply(\@wrong, [], 'no page was too old, or torn');
cmp_ok($cuts, '>', 0, 'while subscriptions were cut');
cmp_ok($restarts, '>', 0, 'and Redis was restarted');
cmp_ok($pages, '>', 10 * $seconds, 'pages were read');
cmp_ok($comments, '>', 10 * $seconds, 'and comments made');

my @calls = map { /^cmdstat_zrevrangebyscore:calls=(\d+)/m }
    $t->redis(qw(INFO commandstats));

note("$pages pages, $comments comments, $cuts cuts, $restarts restarts;"
    . " since the last one Redis was asked for @calls pages");

# when it is quiet, both have all of it, cached or not

my @last = counts();

for my $nginx (@nginx) {
    for (1 .. 8) {
        # the last restart may be a moment ago, and each worker has its own
        # connection
        my $r = wait_for(sub {
            my $r = $nginx->get('posts');
            $r->{status} == 200 && $r;
        }, 30) or die "no page:\n", $nginx->log(20);

        my %post = map { $_->{PostID} => $_ } @{ $r->{json}{posts} };

        ok(!(grep { $post{ $posts[$_] }{CommentCount} < $last[$_] }
            0 .. $#posts), 'in the end all comments are there');
    }
}

done_testing();
