package Bench::Load;

# One turn of requests: bench/load.c or redis-benchmark at full speed, and what
# processor time the servers took for it.

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Time::HiRes qw(time);

use Imagegram qw(slurp spew);

our @EXPORT_OK = qw(CONNECTIONS);

use constant CONNECTIONS => 32;

my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());


# Writes a file with a request, whose body, if there is one, is JSON; gives its
# name.

sub request {
    my ($file, $line, $body) = @_;

    my $more = defined $body ? "Content-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n" : '';

    spew($file, "$line HTTP/1.1\r\nHost: 127.0.0.1\r\n$more\r\n"
        . ($body // ''));

    return $file;
}


# Sends the request in a file to a port for so many seconds.  Options: most,
# requests at most; cpu, where the client is to run; pids, { name => [pids] }.

sub http {
    my ($load, $seconds, $port, $file, %options) = @_;

    my @command = ($load, CONNECTIONS, $seconds, $port, $file,
        $options{most} // ());

    unshift @command, 'taskset', '-c', $options{cpu} if defined $options{cpu};

    return measured($options{pids}, sub {
        open my $pipe, '-|', @command or die "load: $!\n";

        my $line = <$pipe> // '';

        close $pipe or die "$file: load failed\n";

        my ($n, $took, $p50, $p99, $max, $bad) = split / /, $line;

        die "$file: $bad answers are no 2xx\n" if $bad > 0;

        return { n => $n, rps => $n / $took, p50 => $p50, p99 => $p99,
            max => $max };
    });
}


# Has redis-benchmark send n commands; "__rand_int__" becomes a number below
# range.

sub redis {
    my ($socket, $n, $range, $pids, @command) = @_;

    return measured($pids, sub {
        open my $pipe, '-|', 'redis-benchmark', '-s', $socket, '-c',
            CONNECTIONS, '-n', $n, '-r', $range, '--csv', @command
            or die "redis-benchmark: $!\n";

        # test, rps, avg, min, p50, p95, p99, max; the test is the command
        my @fields = map { /"([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)",
            "([\d.]+)","([\d.]+)","([\d.]+)"\s*$/x ? ($1, $4, $6, $7) : () }
            <$pipe>;

        close $pipe or die "redis-benchmark failed\n";
        die "redis-benchmark: no figures\n" if @fields != 4;

        my %of = (n => $n);

        @of{qw(rps p50 p99 max)} = @fields;

        return \%of;
    });
}


# Adds to a turn's figures what each kind of process took for a request, in
# microseconds, as "us NAME", and how busy it was, in processors.

sub measured {
    my ($pids, $code) = @_;

    my %before = map { $_ => processor_time(@{ $pids->{$_} }) } keys %$pids;
    my $start = time;
    my $of = $code->();
    my $took = time - $start;

    for my $name (keys %before) {
        my $seconds = processor_time(@{ $pids->{$name} }) - $before{$name};

        $of->{"us $name"} = 1e6 * $seconds / $of->{n};
        $of->{"busy $name"} = $seconds / $took;
    }

    delete $of->{n};

    return $of;
}


sub processor_time {
    my (@pids) = @_;

    my $sum = 0;

    for my $pid (@pids) {
        my @fields = split / /, slurp("/proc/$pid/stat") =~ s/.*\) //sr;

        $sum += $fields[11] + $fields[12];
    }

    return $sum / $ticks;
}


1;
