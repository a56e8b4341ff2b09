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
use POSIX ();
use Time::HiRes ();

use Bench::Stats qw(percentile summary turns table);
use Bench::Upload ();
use Imagegram qw(spew slurp);

use constant {
    TURNS       => 3,
    CLIENTS     => 4,
    ROUNDS      => 3,       # uploads of each client, in one turn
    IDLE        => 4,       # seconds
    RATE        => 200,     # calls a second
    CONNECTIONS => 64,      # so many that calls do not wait for each other
    LIMIT       => 50,      # ms
};

my @calls = qw(feed post comment none);


# The servers: with Redis as shipped, and with Redis in memory.

sub run {
    my ($shipped, $memory, $probe, $image) = @_;

    my %apis = (shipped => $shipped, memory => $memory);
    my $self = bless { probe => $probe, image => \$image }, __PACKAGE__;

    $self->requests($_) for values %apis;

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


# What is asked for, as the probe takes it

sub requests {
    my ($self, $server) = @_;

    my $post = $server->{posts}[ @{ $server->{posts} } / 2 ];
    my $comment = $server->comment($post);
    my %requests = (
        feed    => "GET /posts?limit=20 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        post    => "GET /posts/$post HTTP/1.1\r\nHost: localhost\r\n\r\n",
        none    => "GET /posts/none HTTP/1.1\r\nHost: localhost\r\n\r\n",
        static  => "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n",
        comment => "POST $comment->{path} HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Type: application/json\r\nContent-Length: "
            . length($comment->{body}) . "\r\n\r\n$comment->{body}",
    );

    spew($server->dir . "/$_.request", $requests{$_}) for keys %requests;
    spew($server->dir . '/files/small', 'x' x 1024);
}


# Probes while the code runs; keeps the samples, and how long that took.

sub turn {
    my ($self, $key, $server, $port, $code, @names) = @_;

    my $dir = $server->dir;
    my @command = ($self->{probe}, $port, RATE, CONNECTIONS,
        map { "$_=$dir/$_.request" } @names);

    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', "$dir/samples";
        exec @command or POSIX::_exit(127);
    }

    Time::HiRes::sleep(0.2);

    my $begin = Time::HiRes::time();

    $code->();
    push @{ $self->{seconds}{$key} }, Time::HiRes::time() - $begin;

    Time::HiRes::sleep(0.2);

    kill 'TERM', $pid;
    waitpid $pid, 0;
    die "the probe failed\n" if $?;

    push @{ $self->{turns}{$key} }, samples(slurp("$dir/samples"));
}


# Each call's latency in ms under its name, and how late the probe itself was
# with it under "late NAME".

sub samples {
    my ($text) = @_;

    my %samples;
    my %wanted = (comment => 201, none => 404);

    for my $line (split /\n/, $text) {
        my ($name, undef, $late, $latency, $status) = split /\t/, $line;

        $status == ($wanted{$name} // 200) or die "$name: status $status\n";

        push @{ $samples{$name} }, $latency / 1000;
        push @{ $samples{"late $name"} }, $late / 1000;
    }

    return \%samples;
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

    my %labels = (
        feed    => 'GET posts?limit=20',
        post    => 'GET posts/ID',
        comment => 'POST comments',
        none    => 'a 404, without Redis',
    );

    return map {
        [ "$labels{$_}, idle", "$name idle", $_ ],
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


sub summarize {
    my ($samples, $name) = @_;

    my @values = @{ $samples->{$name} };

    return {
        %{ summary(@values) },
        over     => scalar grep({ $_ > LIMIT } @values),
        late_max => max(@{ $samples->{"late $name"} }),
    };
}


1;
