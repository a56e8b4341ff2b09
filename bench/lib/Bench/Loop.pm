package Bench::Loop;

# Does anything hold up the event loop?  Calls of the API at a steady rate:
# alone, and while images of 100 MB are uploaded and converted; and a small
# static file's, while nginx's dav receives the same.  In turns.
#
# With appendfsync always Redis answers nobody while it waits for its disk, and
# the uploads are on their way to the same disk.  So all of this is measured
# twice: with Redis as shipped, and without a file of its own.

use strict;
use warnings;

use List::Util qw(max);

use Bench::Probe qw(LIMIT RATE CONNECTIONS %LABELS summarize);
use Bench::Stats qw(percentile turns table);
use Bench::Upload ();

use constant {
    TURNS       => 2,
    CLIENTS     => 4,
    ROUNDS      => 3,       # uploads of each client, in one turn
    IDLE        => 3,       # seconds
};

my @calls = qw(feed post comment none);


# The servers: with Redis as shipped, and with Redis in memory.

sub run {
    my ($shipped, $memory, $probe, $image) = @_;

    my %apis = (shipped => $shipped, memory => $memory);
    my $self = bless { probe => $probe, image => \$image }, __PACKAGE__;

    $probe->requests($_) for values %apis;

    for (1 .. TURNS) {
        $self->api($_, $apis{$_}) for qw(shipped memory);
        $self->nginx($shipped);
    }

    return $self->report;
}


# A turn of the API: idle, then beside uploads.

sub api {
    my ($self, $name, $server) = @_;

    my $post = Bench::Upload::multipart($self->{image});
    my $upload = sub {
        Bench::Upload->start($server->api, map { [ ($post) x ROUNDS ] }
            1 .. CLIENTS)->finish;
    };

    for my $state ([ idle => sub { sleep IDLE } ], [ upload => $upload ]) {
        my ($key, $code) = ("$name $state->[0]", $state->[1]);

        $server->watch_sync;
        $self->turn($key, $server, $server->api, $code, @calls);
        push @{ $self->{sync}{$key} }, $server->longest_sync;
    }
}


# The same for nginx's own.  What dav received has not reached the disk when it
# is removed.

sub nginx {
    my ($self, $server) = @_;

    my $port = $server->files;
    my @puts = map {
        my $n = $_;
        [ map { Bench::Upload::put("/dav/$n.$_", $self->{image}) }
            1 .. ROUNDS ];
    } 1 .. CLIENTS;

    $self->turn('static', $server, $port, sub { sleep IDLE }, 'static');
    $self->turn('dav', $server, $port, sub {
        Bench::Upload->start($port, @puts)->finish;
    }, 'static');

    unlink glob $server->dir . '/files/dav/*';
}


# A turn, whose samples and duration are kept.

sub turn {
    my ($self, $key, $server, $port, $code, @names) = @_;

    my ($samples, $seconds) = $self->{probe}->turn($server, $port, $code,
        @names);

    push @{ $self->{turns}{$key} }, $samples;
    push @{ $self->{seconds}{$key} }, $seconds;
}


# A heading, or: label, turns, name of the call

my @lines = (
    ['Redis as shipped (appendfsync always)'],
    lines('shipped'),
    ['Redis without a file'],
    lines('memory'),
    ['nginx itself'],
    [ 'a static file, idle', static => 'static' ],
    [ '  beside dav uploads', dav => 'static' ],
);


sub lines {
    my ($name) = @_;

    return map {
        [ "$LABELS{$_}, idle", "$name idle", $_ ],
        [ '  beside uploads', "$name upload", $_ ],
    } @calls;
}


sub report {
    my ($self) = @_;

    my %results;
    my @rows = [ '', qw(calls p50 p99 max), '> ' . LIMIT, 'late' ];

    for my $line (@lines) {
        my ($label, $key, $name) = @$line;

        if (!defined $key) {
            push @rows, [$label];
            next;
        }

        my $of = turns(map { summarize($_, $name) }
            @{ $self->{turns}{$key} });

        $results{$key}{$name} = $of;
        push @rows, [ "  $label", $of->{n}, map({ sprintf '%.1f', $of->{$_} }
            qw(p50 p99 max)), $of->{over}, sprintf '%.1f', $of->{late_max} ];
    }

    my %sync = map { $_ => max(@{ $self->{sync}{$_} }) }
        keys %{ $self->{sync} };
    my %rate = map {
        $_ => CLIENTS * ROUNDS * 100
            / percentile(0.5, @{ $self->{seconds}{$_} })
    } 'shipped upload', 'memory upload', 'dav';

    my $text = sprintf "Event loop: %d calls/s over %d connections, alone and "
        . "beside %d clients that\nupload 100 MB images at full speed (%d "
        . "turns of %d each); ms\n(late: by how much the probe itself was "
        . "late, at most)\n\n%s\n   Redis waited for its disk for %d ms at "
        . "most while idle, %d beside uploads.\n   Uploads: %.0f MB/s, "
        . "converted and synced (%.0f with Redis in memory); dav %.0f MB/s,\n"
        . "   not synced.\n", RATE, CONNECTIONS, CLIENTS, TURNS,
        ROUNDS * CLIENTS, table(@rows), @sync{'shipped idle',
        'shipped upload'}, @rate{'shipped upload', 'memory upload', 'dav'};

    return ({ %results, redis_sync_max => \%sync, mb_per_second => \%rate },
        $text);
}


1;
