package Bench::Resumable;

# Resumable uploads: how fast one is, beside nginx's own dav PUT and, where
# Node.js is there, beside @tus/server; and what thousands of slow ones cost,
# in memory and for everybody else.

use strict;
use warnings;

use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(sleep time);

use Bench::Probe qw(LIMIT summarize);
use Bench::Stats qw(median table);
use Bench::Upload ();
use Imagegram qw(memory wait_for);
use Imagegram::HTTP ();
use Imagegram::Tus ();

use constant {
    TURNS  => 3,
    SLOW   => 5000,     # uploads, at
    RATE   => 1024,     # bytes a second each, for
    LENGTH => 20,       # seconds; all of them send within
    PARTS  => 100,      # turns of a second
};

my @calls = qw(feed post comment);


sub run {
    my ($server, $probe, $peer, $image) = @_;

    # all of it but the last byte: no post is made
    my $bytes = substr $image, 0, -1;

    my $self = bless { server => $server, probe => $probe, peer => $peer,
        image => \$bytes }, __PACKAGE__;

    $probe->requests($server);

    my ($speed, $speed_text) = $self->speed;
    my ($slow, $slow_text) = $self->slow;

    return ({ %$speed, %$slow }, "$speed_text\n$slow_text");
}


# --- one fast upload

sub speed {
    my ($self) = @_;

    my $server = $self->{server};
    my $peer = $self->start_peer;
    my %seconds;

    for (1 .. TURNS) {
        push @{ $seconds{tus} }, $self->patch($server->api, '/uploads');
        push @{ $seconds{dav} }, took(sub {
            Bench::Upload::transfer($server->files,
                @{ Bench::Upload::put('/dav/one', $self->{image}) });
        });
        unlink $server->dir . '/files/dav/one';

        push @{ $seconds{peer} }, $self->patch($peer->{port}, '/files')
            if $peer;
    }

    if ($peer) {
        kill 'TERM', $peer->{pid};
        waitpid $peer->{pid}, 0;
    }

    my $megabytes = length(${ $self->{image} }) / 1_048_576;
    my %rate = map { $_ => $megabytes / median(@{ $seconds{$_} }) }
        keys %seconds;
    my %ratio = map {
        my $name = $_;
        $name => median(map { $seconds{$name}[$_] / $seconds{tus}[$_] }
            0 .. TURNS - 1);
    } grep { $_ ne 'tus' } keys %seconds;

    my @rows = ['', 'MB/s', 'ours/its'];

    push @rows, [ 'tus, PATCH of ' . sprintf('%.0f', $megabytes) . ' MB',
        sprintf('%.0f', $rate{tus}), '' ];
    push @rows, [ $_->[1], sprintf('%.0f', $rate{ $_->[0] }),
        sprintf('%.2f', $ratio{ $_->[0] }) ]
        for grep { $rate{ $_->[0] } } [ dav => 'nginx, dav PUT' ],
            [ peer => '@tus/server (Node.js)' ];

    return ({ mb_per_second => \%rate, ratio => \%ratio },
        sprintf "One upload at full speed, the median of %d in turn\n\n%s%s",
        TURNS, table(@rows), $peer ? ''
            : "   (\@tus/server could not be installed)\n");
}


# @tus/server on a port of its own, or nothing.  $self->{peer} is the folder of
# its script, with node_modules in it.

sub start_peer {
    my ($self) = @_;

    my $dir = $self->{peer} // return;
    my $port = $self->{server}->t->port(9);
    my $files = $self->{server}->dir . '/peer';

    mkdir $files;
    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        exec 'node', "$dir/tus-server.mjs", $port, $files
            or POSIX::_exit(127);
    }

    return { pid => $pid, port => $port }
        if wait_for(sub { Imagegram::HTTP::listens($port) }, 20);

    kill 'TERM', $pid;
    waitpid $pid, 0;

    return;
}


sub patch {
    my ($self, $port, $path) = @_;

    my $image = $self->{image};
    my $metadata = Imagegram::Tus::metadata(author => 'ann', body => 'x');
    my $answer = ask($port, "POST $path HTTP/1.1", 'Content-Length: 0',
        'Upload-Length: ' . (1 + length $$image),
        "Upload-Metadata: $metadata");
    my ($upload) = $answer =~ m{^Location: (?:http://[^/]+)?(\S+)}mi
        or die "no upload: $answer\n";

    my $head = request("PATCH $upload HTTP/1.1", 'Upload-Offset: 0',
        'Content-Type: application/offset+octet-stream',
        'Content-Length: ' . length $$image);
    my $seconds = took(sub {
        Bench::Upload::transfer($port, \$head, $image);
    });

    ask($port, "DELETE $upload HTTP/1.1");

    return $seconds;
}


sub took {
    my ($code) = @_;
    my $begin = time;

    $code->();

    return time - $begin;
}


sub request {
    return join "\r\n", shift, 'Host: localhost', 'Connection: close',
        'Tus-Resumable: 1.0.0', @_, '', '';
}


sub ask {
    my ($port, @lines) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "connect: $!\n";

    print $socket request(@lines);

    return do { local $/; <$socket> } // '';
}


# --- thousands of slow ones

sub slow {
    my ($self) = @_;

    my $server = $self->{server};
    my $t = $server->t;
    my %samples;

    ($samples{idle}) = $self->{probe}->turn($server, $server->api,
        sub { sleep LENGTH / 2 }, @calls);

    my @uploads = map { Imagegram::Tus->create($t, 'BM' . 'x' x 1_000_000) }
        1 .. SLOW;
    my @workers = $t->worker_pids;
    my $before = rss(@workers);

    # a valid start: what is no image would be refused
    my $start = substr ${ $self->{image} }, 0, 54;

    my @connections = map {
        my $socket = IO::Socket::INET->new(
            PeerAddr => '127.0.0.1:' . $server->api) or die "connect: $!\n";

        syswrite $socket, request('PATCH ' . $_->path . ' HTTP/1.1',
            'Upload-Offset: 0', 'Content-Length: 1000000',
            'Content-Type: application/offset+octet-stream') . $start;
        $socket;
    } @uploads;

    my $during;

    ($samples{slow}) = $self->{probe}->turn($server, $server->api, sub {
        my $begin = time;

        # each of them once a second, evenly spread

        for my $turn (1 .. LENGTH * PARTS) {
            syswrite $connections[$_ * PARTS + $turn % PARTS], 'x' x RATE
                for 0 .. SLOW / PARTS - 1;
            $during = rss(@workers) if $turn % PARTS == 0;

            my $left = $begin + $turn / PARTS - time;
            sleep $left if $left > 0;
        }
    }, @calls);

    close $_ for @connections;

    my $each = ($during - $before) / SLOW;
    my %figures;
    my @rows = ['', qw(calls p50 p99 max), '> ' . LIMIT];

    for my $name (@calls) {
        for my $state (['', 'idle'], ['  beside them', 'slow']) {
            my ($label, $key) = @$state;
            my $of = summarize($samples{$key}, $name);

            $figures{$key}{$name} = $of;
            push @rows, [ $label || "$name, alone", $of->{n},
                map({ sprintf '%.1f', $of->{$_} } qw(p50 p99 max)),
                $of->{over} ];
        }
    }

    return ({ slow => { uploads => SLOW, bytes_each => $each,
            calls => \%figures } },
        sprintf "%d slow uploads at %d bytes a second each: %.1f KB of the "
        . "workers' memory each (ms)\n\n%s", SLOW, RATE, $each / 1024,
        table(@rows));
}


sub rss {
    my $sum = 0;

    $sum += memory($_) for @_;

    return $sum;
}


1;
