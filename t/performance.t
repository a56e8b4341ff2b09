#!/usr/bin/perl

# What docs/performance.md and its plot show is what bench/results.json holds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../bench/lib";

use Bench::Figures ();
use Imagegram qw(slurp);
use Test::More;


my $top = Imagegram->top;
my $results = Bench::Figures::results($top);
my $text = slurp("$top/docs/performance.md");

is(Bench::Figures::document($text, $results), $text,
    'the tables are those of bench/results.json');
is(slurp("$top/docs/performance.svg"), Bench::Figures::plot($results),
    'and so is the plot');

# a figure that changes must show in both

$_->{rps} *= 1.5 for @{ $results->{requests} }{qw(feed static)};

isnt(Bench::Figures::document($text, $results), $text,
    'other figures make another text');
isnt(Bench::Figures::plot($results), slurp("$top/docs/performance.svg"),
    'and another plot');

done_testing();
