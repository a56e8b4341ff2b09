package Bench::Sustain;

# How many photos of 2 megapixels one machine takes in an hour: as many are
# uploaded at once as keep all converters busy, with calls of the API beside
# them.  As many converters as processors, Redis as shipped.

use strict;
use warnings;

use POSIX ();
use Time::HiRes ();

use Bench::Probe qw(LIMIT RATE %LABELS summarize);
use Bench::Server ();
use Bench::Stats qw(table);
use Bench::Upload ();
use Imagegram qw(memory);

use constant {
    MB      => 1024 * 1024,
    POSTS   => 100,
    SECONDS => 6,
    CLIENTS => 4,           # a processor
};

my @calls = qw(feed post comment none);


sub run {
    my ($probe, $image, $processors) = @_;

    # a worker a processor, with one converter each
    my $server = Bench::Server->new->fill(POSTS);
    my $message = Bench::Upload::multipart(\$image);
    my ($converter) = $server->t->converter_pids;
    my $parent = memory($converter) / MB;

    $probe->requests($server);
    $server->watch_sync;

    my $before = posts($server);
    my ($samples, $seconds) = $probe->turn($server, $server->api, sub {
        upload($server->api, $message, CLIENTS * $processors);
    }, @calls);
    my $converted = posts($server) - $before;

    return {
        per_hour       => $converted / $seconds * 3600 / $processors,
        seconds        => $seconds,
        parent_mb      => $parent,
        redis_sync_max => $server->longest_sync,
        calls          => { map { $_ => summarize($samples, $_) } @calls },
    };
}


sub posts { $_[0]->t->redis('ZCARD', 'imagegram:{0}:feed') }


# Clients that upload the same photo again and again, a process each.

sub upload {
    my ($port, $message, $clients) = @_;

    my $end = Time::HiRes::time() + SECONDS;
    my @pids;

    for (1 .. $clients) {
        defined(my $pid = fork) or die "fork: $!\n";

        if (!$pid) {
            my $ok = eval {
                Bench::Upload::transfer($port, @$message)
                    while Time::HiRes::time() < $end;
                1;
            };

            print STDERR "upload: $@" unless $ok;
            POSIX::_exit($ok ? 0 : 1);
        }

        push @pids, $pid;
    }

    for my $pid (@pids) {
        waitpid $pid, 0;
        die "an upload failed\n" if $?;
    }
}


sub text {
    my ($figures) = @_;

    my @rows = [ '', qw(calls p50 p99 max), '> ' . LIMIT ];

    for my $name (@calls) {
        my $of = $figures->{calls}{$name};

        push @rows, [ $LABELS{$name}, $of->{n}, map({ sprintf '%.1f', $_ }
            @$of{qw(p50 p99 max)}), $of->{over} ];
    }

    return sprintf("Photos of 2 MP: %.0f an hour and processor, uploaded and "
        . "converted, for %.0f s, with\n%d calls of the API a second beside "
        . "them; ms\n\n%s\n   A converter's parent takes %.1f MB.  Redis "
        . "waited for its disk for %d ms at most.\n",
        $figures->{per_hour}, $figures->{seconds}, RATE, table(@rows),
        $figures->{parent_mb}, $figures->{redis_sync_max});
}


1;
