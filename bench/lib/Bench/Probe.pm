package Bench::Probe;

# Calls of the API at a steady rate while something else goes on, by
# bench/probe.c.

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(max);
use POSIX ();
use Time::HiRes ();

use Bench::Stats qw(summary);
use Imagegram qw(spew slurp);

use constant {
    RATE        => 200,     # calls a second
    CONNECTIONS => 64,      # so many that calls do not wait for each other
    LIMIT       => 50,      # ms
};

our @EXPORT_OK = qw(LIMIT RATE CONNECTIONS %LABELS summarize);

# the calls of the API
our %LABELS = (
    feed    => 'GET posts?limit=20',
    post    => 'GET posts/ID',
    comment => 'POST comments',
    none    => 'a 404, without Redis',
);


sub new {
    my ($class, $program) = @_;
    return bless { program => $program }, $class;
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


# Probes while the code runs; gives the samples, and how long that took (s).

sub turn {
    my ($self, $server, $port, $code, @names) = @_;

    my $dir = $server->dir;

    return $self->send($server, $port, RATE, $code,
        map { "$_=$dir/$_.request" } @names);
}


# The same at any rate, with requests as the probe takes them.

sub send {
    my ($self, $server, $port, $rate, $code, @requests) = @_;

    my $dir = $server->dir;
    my @command = ($self->{program}, $port, $rate, CONNECTIONS, @requests);

    defined(my $pid = fork) or die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', "$dir/samples";
        exec @command or POSIX::_exit(127);
    }

    Time::HiRes::sleep(0.2);

    my $begin = Time::HiRes::time();

    $code->();

    my $seconds = Time::HiRes::time() - $begin;

    Time::HiRes::sleep(0.2);

    kill 'TERM', $pid;
    waitpid $pid, 0;
    die "the probe failed\n" if $?;

    return (samples(slurp("$dir/samples")), $seconds);
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
