package Bench::Mixed;

# Everything at once: comments, pages, and uploads of photos at 100 times the
# rate that is forecast, all through the cache.  What is not held is tried
# again at half of that, and at half of that.
#
# Calls are due at a steady rate, whether the server keeps up or not, and count
# from then.  The client takes its share of the same processors.

use strict;
use warnings;

use List::Util qw(max sum);
use POSIX ();
use Time::HiRes qw(sleep time);

use Bench::Comments ();
use Bench::Load ();
use Bench::Probe qw(LIMIT summarize);
use Bench::Stats qw(median percentile table);
use Bench::Upload ();
use Imagegram qw(slurp);
use Imagegram::Image ();

use constant {
    TURNS   => 2,
    UPLOADS => 100,         # a minute
    CLIENTS => 8,           # so many uploads at once
    GRACE   => 3,           # s, for the last ones of a turn
    QUICK   => 10,          # ms, for 99.9 % of each kind of call
    UNIT    => 50,          # calls a second
    ROUNDS  => 5,           # of calls with posts of their own
    REMOVED => 1000,        # comments to delete of a post, more than a turn's
    ID      => '22222222-2222-4222-8222-',
    WIDTH   => 2592,        # of a photo
    HEIGHT  => 1944,
};

# times the forecast, and how long a turn of that is

my @shares = ([ 100, 20 ], [ 50, 5 ], [ 25, 5 ]);

# a kind of call, its label, and its rate in units

my @kinds = (
    [ comment => 'POST comments', 56 ],
    [ feed    => 'GET posts?limit=20', 20 ],
    [ post    => 'GET posts/ID', 1 ],
    [ list    => 'GET comments', 1 ],
    [ removal => 'DELETE comments', 1 ],
);
my $units = sum(map { $_->[2] } @kinds);

my @servers = (
    [ shipped => 'Redis as shipped (appendfsync always)' ],
    [ memory  => 'Redis without a file' ],
);


# The servers: with Redis as shipped, and with Redis in memory.

sub run {
    my ($shipped, $memory, $probe) = @_;

    my $self = bless { probe => $probe, photo => photo() }, __PACKAGE__;
    my %left = (shipped => $shipped, memory => $memory);
    my %figures;

    for my $share (@shares) {
        my ($times, $seconds) = @$share;
        my @names = grep { $left{$_} } map { $_->[0] } @servers;
        my %turns;

        for (1 .. TURNS) {
            push @{ $turns{$_} }, $self->turn($left{$_}, $times / 100,
                $seconds) for @names;
        }

        for my $name (@names) {
            my $of = $figures{$name}{$times} = figures(@{ $turns{$name} });

            delete $left{$name} if $of->{held};
        }
    }

    $figures{megabytes} = length(${ $self->{photo} }) / 1e6;

    return (\%figures, text(\%figures));
}


# A photo's bytes: two slopes of grey below noise, from a seed.

sub photo {
    my $row = 3 * WIDTH;
    my $noise = Imagegram::Image::noise(2 * $row) & "\x1f" x (2 * $row);
    my $slopes = join '', map { chr(255 * $_ / WIDTH & 0xe0) x 3 }
        0 .. WIDTH - 1, reverse 0 .. WIDTH - 1;
    my $ppm = sprintf "P6\n%d %d\n255\n", WIDTH, HEIGHT;

    $ppm .= substr($noise, 331 * $_ % $row, $row) | substr $slopes, 3 * $_, $row
        for 0 .. HEIGHT - 1;

    return \Imagegram::Image::filter($ppm, 'cjpeg', '-quality', 92);
}


# --- a turn

sub turn {
    my ($self, $server, $share, $seconds) = @_;

    my $t = $server->t;
    my %pids = (nginx => [ $t->worker_pids ], Redis => [ $t->redis_pid ]);
    my @requests = requests($server);
    my ($uploads, %before, %busy);

    $server->watch_sync;

    my ($samples, $took) = $self->{probe}->send($server, $server->cached,
        $share * $units * UNIT, sub {
            %before = processors(\%pids);
            $uploads = $self->uploads($server->cached, $seconds,
                60 / UPLOADS / $share);
            %busy = processors(\%pids);
        }, @requests);

    return {
        samples => $samples,
        uploads => $uploads,
        sync    => $server->longest_sync,
        busy    => { map { $_ => ($busy{$_} - $before{$_}) / $took }
            keys %busy },
    };
}


# The probe's requests: as many of each kind as its rate has units, evenly
# mixed, some rounds of them.  No two are for the same post's comments.  Pages
# change with each comment, so that few come out of the cache.

sub requests {
    my ($server) = @_;

    my @posts = @{ $server->{posts} };
    my @own = @posts;
    my @mixed = map { $_->[1] } sort { $a->[0] <=> $b->[0] } map {
        my ($name, undef, $n) = @$_;

        map { [ ($_ + 0.5) / $n, $name ] } 0 .. $n - 1;
    } @kinds;
    my @requests;

    for my $n (0 .. ROUNDS * @mixed - 1) {
        my $name = $mixed[ $n % @mixed ];
        my $file = $server->dir . "/$n.$name";

        write_request($server, $file, $name, $name =~ /^(?:comment|removal)$/
            ? shift @own : $posts[ $n % @posts ]);
        push @requests, "$name=$file";
    }

    return @requests;
}


sub write_request {
    my ($server, $file, $name, $post) = @_;

    my $comment = $server->comment($post);
    my %request = (
        comment => [ "POST $comment->{path}", $comment->{body} ],
        feed    => ['GET /posts?limit=20'],
        post    => ["GET /posts/$post"],
        list    => ["GET $comment->{path}"],
        removal => [ "DELETE $comment->{path}/" . ID . '__counter___' ],
    );

    Bench::Comments::put($server->t, 'imagegram', $post, ID, REMOVED)
        if $name eq 'removal';
    Bench::Load::request($file, @{ $request{$name} });
}


# Uploads the photo once a period, for so many seconds; gives how many were
# due, and how long those took that were answered with 201 in time (ms, from
# when they were due).

sub uploads {
    my ($self, $port, $seconds, $period) = @_;

    my $message = Bench::Upload::multipart($self->{photo});
    my @due = map { $_ * $period } 0 .. $seconds / $period - 1;
    my $begin = time;
    my @pipes;

    for my $client (0 .. CLIENTS - 1) {
        defined(my $pid = open my $pipe, '-|') or die "fork: $!\n";

        if (!$pid) {
            $SIG{ALRM} = sub { POSIX::_exit(0) };
            alarm $seconds + GRACE;
            upload($port, $message, map { $begin + $due[$_] }
                grep { $_ % CLIENTS == $client } 0 .. $#due);
            POSIX::_exit(0);
        }

        push @pipes, $pipe;
    }

    pause($begin + $seconds);

    my @took = map { my $pipe = $_; map { 1000 * $_ } <$pipe> } @pipes;

    close $_ for @pipes;

    return { due => scalar @due, took => \@took };
}


# What a client does.  An upload that fails is left out.

sub upload {
    my ($port, $message, @times) = @_;

    for my $due (@times) {
        pause($due);
        eval {
            Bench::Upload::transfer($port, @$message);
            syswrite STDOUT, time - $due . "\n";
        } or print STDERR "upload: $@";
    }
}


sub pause {
    my ($until) = @_;
    my $left = $until - time;

    sleep $left if $left > 0;
}


# Processor time so far, in seconds: of these, and of the whole machine.

sub processors {
    my ($pids) = @_;

    # user, nice, system, idle, iowait, irq, softirq
    my (undef, @ticks) = split ' ', slurp('/proc/stat');

    return (
        all => sum(@ticks[0 .. 2, 5, 6]) / POSIX::sysconf(POSIX::_SC_CLK_TCK()),
        map { $_ => Bench::Load::processor_time(@{ $pids->{$_} }) } keys %$pids,
    );
}


# --- figures

# Of all turns together.

sub figures {
    my (@turns) = @_;

    my (%samples, %calls);

    for my $turn (map { $_->{samples} } @turns) {
        for my $name (keys %$turn) {
            my $all = $name =~ /^late / ? 'late all' : 'all';

            push @{ $samples{$_} }, @{ $turn->{$name} } for $name, $all;
        }
    }

    for my $name ('all', map { $_->[0] } @kinds) {
        $calls{$name} = {
            %{ summarize(\%samples, $name) },
            p999 => percentile(0.999, @{ $samples{$name} }),
        };
    }

    my @took = map { @{ $_->{uploads}{took} } } @turns;

    return {
        calls    => \%calls,
        held     => (grep { $_->{p999} > QUICK || $_->{max} > LIMIT }
            @calls{ map { $_->[0] } @kinds }) ? 0 : 1,
        uploads  => {
            due => sum(map { $_->{uploads}{due} } @turns),
            n   => scalar @took,
            p50 => median(@took),
            max => max(@took),
        },
        busy     => { map {
            my $name = $_;
            $name => sum(map { $_->{busy}{$name} } @turns) / @turns;
        } qw(nginx Redis all) },
        sync_max => max(map { $_->{sync} } @turns),
    };
}


sub text {
    my ($figures) = @_;

    my %rate = map { $_->[0] => $_->[2] * UNIT } @kinds;
    my @calls = [ '', qw(calls p50 p99 p99.9 max), '> ' . LIMIT,
        qw(late held) ];
    my @rest = [ '', qw(uploads due p50 max nginx Redis all sync) ];

    for my $server (@servers) {
        my ($name, $label) = @$server;

        push @$_, [$label] for \@calls, \@rest;

        for my $times (grep { $figures->{$name}{$_} } map { $_->[0] } @shares) {
            my $of = $figures->{$name}{$times};

            push @calls, [ row("  $times times", $of->{calls}{all}),
                $of->{held} ? 'yes' : 'no' ];
            push @calls, map {
                [ row("    $_->[1]", $of->{calls}{ $_->[0] }) ]
            } $times == $shares[0][0] ? @kinds : ();
            push @rest, [ "  $times times", @{ $of->{uploads} }{qw(n due)},
                map({ defined ? sprintf '%.0f', $_ : '' }
                    @{ $of->{uploads} }{qw(p50 max)}),
                map({ sprintf '%.2f', $_ } @{ $of->{busy} }{qw(nginx Redis
                    all)}), $of->{sync_max} ];
        }
    }

    return sprintf "Mixed load: %d times the forecast is %d comments, %d "
        . "pages, and %d each of posts,\nlists of comments, and deleted "
        . "comments a second, and %d photos (5 MP, %.1f MB)\na minute; cache "
        . "on; %d turns of %d s, of %d s where less is tried; ms\n(late: by "
        . "how much the probe itself was late, at most; held: of each kind of "
        . "call\n99.9 %% took %d ms at most, and none more than %d)\n\n%s\n"
        . "Uploads, from when they were due (ms); processors' time a second; "
        . "how long Redis\nwaited for its disk at most (ms)\n\n%s",
        $shares[0][0], @rate{qw(comment feed post)}, UPLOADS,
        $figures->{megabytes}, TURNS, $shares[0][1], $shares[-1][1], QUICK,
        LIMIT, table(@calls), table(@rest);
}


sub row {
    my ($label, $of) = @_;

    return ($label, $of->{n}, map({ sprintf '%.1f', $_ } @$of{qw(p50 p99 p999
        max)}), $of->{over}, sprintf '%.1f', $of->{late_max});
}


1;
