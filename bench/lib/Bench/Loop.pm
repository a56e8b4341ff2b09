package Bench::Loop;

# Does anything hold up the event loop?  Calls of the API at a steady rate:
# alone, and while four images of 100 MB are uploaded and converted; and a small
# static file's, while nginx's dav receives the same.  In turns.

use strict;
use warnings;

use List::Util qw(max);
use Time::HiRes ();

use Bench::Stats qw(percentile summary turns table);
use Bench::Upload ();
use Imagegram qw(spew slurp);

use constant {
    TURNS       => 3,
    CLIENTS     => 4,
    ROUNDS      => 3,       # uploads of each client, in one turn
    IDLE        => 5,       # seconds
    RATE        => 200,     # calls a second
    CONNECTIONS => 16,
    LIMIT       => 50,      # ms
};


sub run {
    my ($server, $probe, $image) = @_;

    my $self = bless { server => $server, probe => $probe }, __PACKAGE__;
    my $post = Bench::Upload::multipart($image);
    my @puts = map { Bench::Upload::put("/dav/$_", $image) } 1 .. CLIENTS;
    my (%turns, %seconds);

    $self->requests;

    for (1 .. TURNS) {
        push @{ $turns{idle} }, $self->turn($server->api, undef, qw(feed post
            comment none));

        push @{ $turns{upload} }, $self->turn($server->api, sub {
            push @{ $seconds{upload} }, Bench::Upload->start($server->api,
                ROUNDS, (\$post) x CLIENTS)->finish;
        }, qw(feed post comment none));

        push @{ $turns{static} }, $self->turn($server->files, undef, 'static');

        push @{ $turns{dav} }, $self->turn($server->files, sub {
            push @{ $seconds{dav} }, Bench::Upload->start($server->files,
                ROUNDS, map { \$_ } @puts)->finish;
        }, 'static');
    }

    return report(\%turns, \%seconds);
}


# What is asked for, as the probe takes it

sub requests {
    my ($self) = @_;

    my $server = $self->{server};
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


# Probes while the code runs, or for some seconds; gives the samples.

sub turn {
    my ($self, $port, $code, @names) = @_;

    my $dir = $self->{server}->dir;
    my @command = ($self->{probe}, $port, RATE, CONNECTIONS,
        map { "$_=$dir/$_.request" } @names);

    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', "$dir/samples";
        exec @command or POSIX::_exit(127);
    }

    Time::HiRes::sleep(0.2);
    $code ? $code->() : sleep IDLE;
    Time::HiRes::sleep(0.2);

    kill 'TERM', $pid;
    waitpid $pid, 0;
    die "the probe failed\n" if $?;

    unlink glob "$dir/files/dav/*";

    return samples(slurp("$dir/samples"));
}


# { name => [ms, ...] }, what the probe was late under "late"

sub samples {
    my ($text) = @_;

    my %samples;
    my %wanted = (comment => 201, none => 404);

    for my $line (split /\n/, $text) {
        my ($name, undef, $late, $latency, $status) = split /\t/, $line;

        $status == ($wanted{$name} // 200) or die "$name: status $status\n";

        push @{ $samples{$name} }, $latency / 1000;
        push @{ $samples{late} }, $late / 1000;
    }

    return \%samples;
}


my @lines = (
    [ idle   => feed    => 'GET posts?limit=20, idle' ],
    [ upload => feed    => '  beside uploads' ],
    [ idle   => post    => 'GET posts/ID, idle' ],
    [ upload => post    => '  beside uploads' ],
    [ idle   => comment => 'POST comments, idle' ],
    [ upload => comment => '  beside uploads' ],
    [ idle   => none    => 'a 404 without Redis, idle' ],
    [ upload => none    => '  beside uploads' ],
    [ static => static  => 'nginx, a static file, idle' ],
    [ dav    => static  => '  beside dav uploads' ],
    [ idle   => late    => 'how late the probe was, idle' ],
    [ upload => late    => '  beside uploads' ],
    [ dav    => late    => '  beside dav uploads' ],
);


sub report {
    my ($turns, $seconds) = @_;

    my %results;
    my @rows = [ '', qw(calls p50 p99 max), '> ' . LIMIT ];

    for my $line (@lines) {
        my ($state, $name, $label) = @$line;

        my $of = turns(map {
            my @values = @{ $_->{$name} };
            +{ %{ summary(@values) }, over => scalar grep { $_ > LIMIT }
                @values };
        } @{ $turns->{$state} });

        $results{$state}{$name} = $of;
        push @rows, [ $label, $of->{n},
            map({ sprintf '%.1f', $of->{$_} } qw(p50 p99 max)), $of->{over} ];
    }

    my %rate = map {
        $_ => CLIENTS * ROUNDS * 100 / percentile(0.5, @{ $seconds->{$_} })
    } keys %$seconds;

    my $text = sprintf "Event loop: %d calls/s over %d connections, alone and "
        . "beside %d clients that\nupload 100 MB images at full speed (%d "
        . "turns of %d each); ms\n\n%s\n   uploads: %.0f MB/s, converted; dav "
        . "%.0f MB/s\n", RATE, CONNECTIONS, CLIENTS, TURNS, ROUNDS * CLIENTS,
        table(@rows), @rate{qw(upload dav)};

    return ({ %results, mb_per_second => \%rate }, $text);
}


1;
