package Bench::Stats;

# Percentiles, medians of turns, tables.

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(max sum0);

our @EXPORT_OK = qw(median percentile rates summary turns table);


sub percentile {
    my ($share, @values) = @_;

    my @sorted = sort { $a <=> $b } @values;

    return @sorted ? $sorted[ int($share * $#sorted + 0.5) ] : undef;
}


sub median { percentile(0.5, @_) }


# Of a turn's latencies, ms

sub summary {
    my (@values) = @_;

    return {
        n   => scalar @values,
        p50 => percentile(0.5, @values),
        p99 => percentile(0.99, @values),
        max => max(@values),
    };
}


# Of several turns: the medians, but the worst maxima, and all that was
# counted.

sub turns {
    my (@turns) = @_;

    my %of;

    for my $name (keys %{ $turns[0] }) {
        my @values = map { $_->{$name} } @turns;

        $of{$name} = $name =~ /max$/ ? max(@values)
            : $name =~ /^(?:n|over)$/ ? sum0(@values) : median(@values);
    }

    return \%of;
}


# The table of Bench::Load's figures, a line for each [name, label]; those that
# were not measured have none.

sub rates {
    my ($figures, @lines) = @_;

    my @rows = [ '', qw(requests/s p50 p99 max ratio server Redis) ];

    for my $line (@lines) {
        my ($name, $label) = @$line;
        my $of = $figures->{$name};

        push @rows, $of ? [ $label, sprintf('%.0f', $of->{rps}),
            map({ sprintf '%.1f', $of->{$_} } qw(p50 p99 max)),
            $of->{ratio} ? sprintf('%.2f', $of->{ratio}) : '',
            map { sprintf '%.0f', $of->{"us $_"} } qw(server redis) ]
            : [ $label, '-' ];
    }

    return table(@rows);
}


# Rows of cells, the first row is the head; the first column is text, the
# others are numbers.

sub table {
    my (@rows) = @_;

    my @widths;

    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $n = length($row->[$i] // '');
            $widths[$i] = $n if $n > ($widths[$i] // 0);
        }
    }

    return join '', map {
        my $row = $_;
        my @cells = map {
            sprintf $_ ? "%$widths[$_]s" : "%-$widths[$_]s", $row->[$_] // ''
        } 0 .. $#$row;

        join('  ', '  ', @cells) =~ s/ +\z//r . "\n";
    } @rows;
}


1;
