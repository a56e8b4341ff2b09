#!/usr/bin/perl

# Somebody is killed in the midst of a change: nothing that was told is lost,
# nothing that was not told is there by half, and all of it fits together.
#
#   CRASH_ROUNDS   so many rounds, and figures; "make crash" makes 2300, which
#                  are all the steps of all the changes
#   CRASH_SEED     in which order they come: 1
#   CRASH_FROM     go on behind so many of them: 0
#   CRASH_JOBS     at a time: 2
#   CRASH_WORKERS  of nginx: 1
#   CRASH_CACHE    "zone=feed:1m": with the cache
#   CRASH_ONLY     "form": of this change only; "form,worker,17", or with a
#                  second victim "form,worker,17,redis,3": only this, again and
#                  again
#
# Without CRASH_ROUNDS it is each change once, and what went wrong once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select ();
use List::Util qw(shuffle);

use Imagegram::Changes qw(%changes);
use Imagegram::Crash;
use Test::More;

# what one nginx and one Redis go through before others are started
use constant ROUNDS => 40;

my $short = !$ENV{CRASH_ROUNDS};
my $seed = $ENV{CRASH_SEED} // 1;
my $jobs = $ENV{CRASH_JOBS} // 2;
my @only = split /,/, $ENV{CRASH_ONLY} // '';
my @victims = @Imagegram::Crash::victims;

my @once = (
    ['start', 'master', 11],    # a folder was made, and not yet given away
    ['start', 'master', 56],    # a file was there to see if it can be made
);

my %options = (
    workers  => $ENV{CRASH_WORKERS} // 1,
    settings => { cache => $ENV{CRASH_CACHE} },
);

my $quiet = Imagegram::Crash->new(%options)
    or plan skip_all => 'nobody may be traced here';

diag("seed $seed");


# --- what is synced before anybody is told, which no SIGKILL would show

my $placed = qr{worker\ link\ originals/.* worker\ fsync\ originals/xx/xx;
    .* worker\ link\ images/.* worker\ fsync\ images/xx/xx;
    .* redis\ write\ \S+\.aof; redis\ fdatasync\ \S+\.aof;
    .* worker\ writev\ socket;}xs;

my %synced = (
    'comment'    => qr{redis fdatasync \S+\.aof;.*worker writev socket;}s,
    'form'       => qr{child\ fsync\ tmp/ID\.jpeg;
        .* child\ fsync\ tmp/ID\.original; .* $placed}xs,
    'last patch' => qr{child\ fsync\ tmp/ID\.jpeg;
        .* child\ fsync\ uploads/ID; .* $placed}xs,
);

for my $change (sort keys %synced) {
    my $steps = join '', map { "$_->{text};" }
        @{ $quiet->round($change)->{steps} };

    like($steps, $synced{$change}, "$change: it is safe before that is told");
}


# --- which rounds there are: a change, a victim, the step before which it dies

my %steps;

if ($short) {

    # without looking how many steps there are: where there are fewer, somebody
    # is killed behind the last one
    %steps = map {
        $_ => [({ child => 1 }) x (/comment|^patch|delete/ ? 6 : 45)]
    } keys %changes;

} else {
    for my $change (sort keys %changes) {
        my $round = $quiet->round($change);

        is_deeply($round->{faults}, [], "$change: nobody is killed");
        $steps{$change} = $round->{steps};
        diag(sprintf '%-15s %3d steps', $change, scalar @{ $round->{steps} });
        diag("    $_->{text}") for @{ $round->{steps} };
    }
}

ok($quiet->{t}->finish, 'nothing in the log');
srand $seed;

my %cells;

for my $change (sort keys %changes) {
    my @steps = (@{ $steps{$change} }, {});

    $cells{$change} = [shuffle map {
        my $n = $_;

        map { [$change, $_, $n] }
            grep { $_ ne 'child' || $steps[$n - 1]{child} } @victims;
    } 1 .. @steps];
}

my @all;

while (%cells) {
    for my $change (sort keys %cells) {
        push @all, shift @{ $cells{$change} };
        delete $cells{$change} unless @{ $cells{$change} };
    }
}

@all = grep { $_->[0] eq $only[0] } @all if @only == 1;

my $rounds = $ENV{CRASH_ROUNDS} // keys %changes;
my @chosen = map { [@{ $all[$_ % @all] }] } 0 .. $rounds - 1;

# every other time somebody else follows, while the first one starts again
push @$_, $victims[rand @victims], 1 + int rand 25
    for @chosen[grep { $_ % 2 } 0 .. $#chosen];

splice @chosen, 0, $ENV{CRASH_FROM} // 0;
unshift @chosen, @once if $short;
@chosen = ([@only]) x $rounds if @only > 1;
diag(scalar(@all) . ' steps and victims') unless $short;


# --- the rounds, by some processes

my @pipes;

for my $job (0 .. $jobs - 1) {
    my @mine = map { $chosen[$_ * $jobs + $job] // () } 0 .. $#chosen;
    my $pid = open(my $pipe, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        work(@mine);
        exit 0;
    }

    push @pipes, $pipe;
}

sub work {
    my (@mine) = @_;

    my ($crash, $done);

    $| = 1;

    for my $cell (@mine) {
        if (!$crash || $done++ % ROUNDS == 0) {
            is_clean($crash) if $crash;
            $crash = Imagegram::Crash->new(%options);
        }

        my $round = $crash->round(@$cell);

        print join("\t", join(',', @$cell) . ': '
            . join('; ', @{ $round->{at} }), $round->{became},
            map { s/\s+/ /gr } @{ $round->{faults} }), "\n";

        # what is broken stays broken
        undef $crash if @{ $round->{faults} };
    }

    is_clean($crash) if $crash;
}

sub is_clean {
    my ($crash) = @_;
    my @faults = $crash->{t}->finish ? () : $crash->{t}->faults;

    print join("\t", 'the log', 'of all of them',
        map { s/\s+/ /gr } @faults), "\n" if @faults;
}


my (%table, $made, $broken);

while (@pipes) {
    for my $pipe (IO::Select->new(@pipes)->can_read) {
        my $line = readline $pipe;

        if (!defined $line) {
            @pipes = grep { $_ != $pipe } @pipes;
            next;
        }

        chomp $line;

        my ($name, $became, @faults) = split /\t/, $line;

        is_deeply(\@faults, [], "$name: $became");

        my ($change, $victim) = $name =~ /^(.*?),([a-z]+),\d/ or next;

        $made++;
        $broken++ if @faults;
        $table{$change}{ $_->[0] }{ $_->[1] }++
            for [$victim, $became], ['all', $became];
    }
}

is($made, scalar @chosen, 'all rounds were made');


# --- the figures: acknowledged / complete, but nobody was told / absent

if (!$short) {
    diag(sprintf '%-15s' . ' %14s' x (1 + @victims), '', 'all', @victims);

    for my $change (sort keys %table) {
        diag(sprintf '%-15s' . ' %14s' x (1 + @victims), $change, map {
            my $cell = $table{$change}{$_};

            join '/', map { $cell->{$_} // 0 } qw(acknowledged complete absent)
        } 'all', @victims);
    }

    diag(sprintf '%d rounds, %d of them with faults', $made, $broken // 0);
}

done_testing();
