#!/usr/bin/perl

# Many uploads, each of them cut again and again, while workers are killed at
# random and nginx is reloaded: every original is right, every post is there
# exactly once, and nothing is left.
#
# IMAGEGRAM_UPLOADS is how many (200; 60 with sanitizers), IMAGEGRAM_SEED
# repeats a run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use Time::HiRes qw(sleep);

use Imagegram qw(slurp wait_for);
use Imagegram::Image;
use Imagegram::Tus;
use POSIX ();
use Test::More;


use constant CLIENTS => 8;

my $seed = $ENV{IMAGEGRAM_SEED} // time % 1_000_000;

diag("IMAGEGRAM_SEED=$seed");
srand $seed;

my $t = Imagegram->new(workers => 3, settings => {
    redis => '%%REDIS%% timeout=10s' })->start;
my $n = $ENV{IMAGEGRAM_UPLOADS} // ($t->sanitized ? 60 : 200);

$t->expect_log(qr/worker process \d+ exited on signal 9/);


# --- a client, in a process of its own: gives its uploads' faults

sub client {
    my ($uploads) = @_;

    for my $round (1 .. 200) {
        my @left = grep { !$_->{done} } @$uploads;

        return 0 unless @left;

        step($left[rand @left]);
    }

    return scalar grep { !$_->{done} } @$uploads;
}


# One more connection for an upload; whatever goes wrong with it, the next one
# will see what came of it.

sub step {
    my ($u) = @_;

    my $r = eval { $u->head } // { status => 0 };

    sleep 0.05, return unless $r->{status} == 200;

    my $offset = $r->{headers}{'upload-offset'};
    my $rest = substr $u->{image}, $offset;

    $u->{done} = defined $r->{headers}{'content-location'} and return;

    my $size = rand 3 < 1 ? length $rest : int rand length $rest;
    my $chunk = substr $rest, 0, $size;

    # a chunk that is whole, now and then with a checksum; or the rest, cut

    if (rand 3 < 1) {
        eval { $u->patch($offset, $chunk,
            rand 2 < 1 ? (sha1 => sha1_hex($chunk)) : ()) };

    } else {
        my $c = eval { $u->begin($offset, $rest, $size) } or return;

        sleep rand 0.02;
        eval { $c->response } if $size == length $rest && rand 2 < 1;
        $c->close(rand 2 < 1);
    }
}


# --- all of them at a time

my @uploads = map {
    my $image = Imagegram::Image::bmp(60 + int rand 200, 60 + int rand 200);

    # no two are the same
    substr($image, 60, 8) = sprintf '%08d', $_;

    my $u = Imagegram::Tus->create($t, $image);
    $u->{image} = $image;
    $u;
} 1 .. $n;

my %clients;

for my $client (0 .. CLIENTS - 1) {
    my @mine = @uploads[grep { $_ % CLIENTS == $client } 0 .. $#uploads];

    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        srand $seed + 1 + $client;
        POSIX::_exit(client(\@mine) ? 1 : 0);
    }

    $clients{$pid} = 1;
}

my ($kills, $reloads, $failed) = (0, 0, 0);
my $end = time + 300;

while (%clients && time < $end) {
    sleep 0.3 + rand 1;

    my @workers = $t->worker_pids;

    # the first time, and now and again once workers were killed, too

    if (!$reloads || ($kills && rand 6 < 1)) {
        kill 'HUP', $t->nginx_pid;
        $reloads++;

    } elsif (@workers) {
        kill 'KILL', $workers[rand @workers];
        $kills++;
    }

    for my $pid (keys %clients) {
        next unless waitpid $pid, POSIX::WNOHANG();

        $failed++ if $?;
        delete $clients{$pid};
    }
}

kill 'KILL', keys %clients;
is(scalar(keys %clients), 0, 'all clients are done');
is($failed, 0, 'with all of their uploads');
ok($kills, "meanwhile workers were killed ($kills times)");
ok($reloads, "and nginx was reloaded ($reloads times)");


# --- what is there

my %posts;

$posts{ $_->{PostID} }++ for @{ ($t->walk('posts?limit=100'))[0] };

is(scalar(grep { ($posts{ $_->id } // 0) == 1 } @uploads), $n,
    'every post is there once');
is(scalar(keys %posts), $n, 'and no other');

my %originals = map { m{/([0-9a-f-]{36})\.bmp} => $_ } $t->files('originals');

is(scalar(grep { slurp($t->storage . '/' . ($originals{ $_->id } // 'none'))
    eq $_->{image} } @uploads), $n, 'every original is byte for byte');

is(scalar(() = $t->files('images')), $n, 'an image each');
is($_, 204, 'forgotten') for grep { $_ != 204 }
    map { $_->request('DELETE')->{status} } @uploads;

ok(wait_for(sub { !$t->files('uploads', 'tmp') }, 30), 'nothing is left')
    or diag(join "\n", $t->files('uploads', 'tmp'));


# --- an upload is removed while others ask for it

my %status;

for (1 .. 2000) {
    my $u = Imagegram::Tus->create($t, 'x' x 100);
    my @connections = map { $t->connect->send($t->prepare($_, $u->path,
        headers => ['Tus-Resumable' => '1.0.0']))->flush }
        qw(HEAD HEAD DELETE HEAD HEAD);

    $status{ $_->response->{status} }++ for @connections;
}

is(join(' ', sort keys %status), '200 204 404', 'each gets a clear answer');

done_testing();
