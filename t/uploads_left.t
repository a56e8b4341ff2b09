#!/usr/bin/perl

# Clients that leave at each point of an upload: what they brought counts, and
# nothing stays open.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(open_files slurp wait_for);
use Imagegram::HTTP2;
use Imagegram::Image;
use Imagegram::Tus qw(metadata tus_request);
use Test::More;


my $t = Imagegram->new(http2 => 1, server => '
    location /large/ {
        imagegram;
        client_body_buffer_size 128k;
    }')->start;

my $bmp = Imagegram::Image::bmp(200, 200);
my $size = length $bmp;
my $half = 50_000;

$t->post;

my @before = $t->files;
my ($worker) = $t->worker_pids;
my $open = open_files($worker);


# An upload, below / or below /large/

sub upload {
    my ($location) = @_;

    my $r = tus_request($t, 'POST', "${location}uploads", length => 0,
        headers => ['Upload-Length' => $size,
            'Upload-Metadata' => metadata(author => 'ann', body => 'x')]);

    return Imagegram::Tus->new($t, $r->{headers}{location});
}


# The first bytes of an upload, on a connection of its own

sub begin {
    my ($u, $http2, $n) = @_;

    return $u->begin(0, $bmp, $n) unless $http2;

    return Imagegram::HTTP2->new(port => $t->port(2))->begin('PATCH',
        $u->path, ['tus-resumable' => '1.0.0', 'upload-offset' => 0,
            'content-type' => 'application/offset+octet-stream',
            'content-length' => $size], substr $bmp, 0, $n);
}

my %leave = (
    closed => sub { $_[0]->close },
    gone   => sub { $_[0]->close(1) },
    reset  => sub { $_[0]->reset },
);

sub leaves {
    my ($c, $way) = @_;

    # it has brought all that before
    select undef, undef, undef, 0.3;
    $leave{$way}->($c);
    select undef, undef, undef, 0.3;
}


# What was received is there, the rest can be sent, and that is all there is.

sub settles {
    my ($u, $received, $what) = @_;

    my $id = $u->id;
    my $path = $t->storage . "/uploads/$id";

    ok(wait_for(sub { (-s $path // -1) == $received }, 10),
        "$what: what it brought counts") or diag(-s $path);

    my $at = $u->offset;

    $u->patch($at, substr $bmp, $at);
    made($u, $what);
}

sub made {
    my ($u, $what) = @_;

    my $id = $u->id;

    ok(wait_for(sub { $t->get("posts/$id")->{status} == 200 }, 30),
        "$what: the post is made");

    my ($path) = grep { /$id/ } $t->files('originals');

    ok(slurp($t->storage . '/' . ($path // '')) eq $bmp,
        "$what: every byte is there");
    is($t->delete("posts/$id")->{status}, 204, "$what: deleted");
    is($u->request('DELETE')->{status}, 204, "$what: forgotten");
    is_deeply([$t->files], \@before, "$what: no file is left");
    ok(wait_for(sub { open_files($worker) <= $open }, 30),
        "$what: nothing stays open") or diag(open_files($worker), " > $open");
}


for my $case ([0, 'closed'], [0, 'gone'], [1, 'closed'], [1, 'gone'],
    [1, 'reset'])
{
    my ($http2, $way) = @$case;
    my $how = ($http2 ? 'HTTP/2' : 'HTTP/1.1') . ", $way";

    # before anybody reads the body

    for my $location ('/', '/large/') {
        my $u = upload($location);
        my $lock = $u->lock;

        leaves(begin($u, $http2, $half), $way);
        close $lock;
        settles($u, $half, "$how before its body is read, $location");
    }

    # while a slice waits to be written, and another one behind it

    my $u = upload('/');
    my $c = begin($u, $http2, 1000);

    ok(wait_for(sub { (-s $t->storage . '/uploads/' . $u->id) == 1000 }, 30),
        'the first bytes');

    my $lock = $u->lock;
    my $more = substr $bmp, 1000, 30_000;

    for my $piece (substr($more, 0, 100), substr $more, 100) {
        $http2 ? $c->data($piece) : $c->write($piece);
        select undef, undef, undef, 0.1;
    }

    leaves($c, $way);
    undef $c;
    close $lock;
    settles($u, 31_000, "$how in the middle");

    # with the last byte
    next if $http2;

    $u = upload('/');
    $lock = $u->lock;
    leaves(begin($u, $http2, $size), $way);
    close $lock;
    made($u, "$how after the last byte");
}


# --- of a creation that is not complete nobody knows

my $head = join "\r\n", 'POST /uploads HTTP/1.1', 'Host: localhost',
    'Tus-Resumable: 1.0.0', "Upload-Length: $size",
    'Upload-Metadata: ' . metadata(author => 'ann', body => 'x'),
    'Content-Type: application/offset+octet-stream',
    "Content-Length: $size", '', '';

for my $reset (0, 1) {
    my $c = $t->connect->write($head . substr $bmp, 0, $half);

    ok(wait_for(sub { $t->files('uploads') == 2 }, 30), 'it is begun');
    $c->close($reset);
    ok(wait_for(sub { !$t->files('uploads') }, 30), 'and left: it is removed');
}

is_deeply([$t->worker_pids], [$worker], 'the worker is the same as before');

done_testing();
