#!/usr/bin/perl

# Each fuzzer for a moment, so that none is left behind by what it is for.
# Once for both builds: libFuzzer brings sanitizers of its own.

use strict;
use warnings;

use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram ();
use Test::More;

use constant SECONDS => 2;

my $top = Imagegram->top;

plan skip_all => 'the fuzzers have sanitizers of their own'
    if Imagegram->sanitized;

my $corpus = tempdir('imagegram-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $make = "make -s -C '$top' fuzz FUZZ_CORPUS='$corpus' FUZZ_SECONDS="
    . SECONDS;
my $output = `$make 2>&1`;

is($?, 0, 'nothing is found') or diag($output);

my %runs = $output =~ /^(\w+): \d+ s\n.*?number_of_executed_units: (\d+)/msg;

for my $fuzzer (map { basename($_, '.c') } glob "$top/t/fuzz/*.c") {
    cmp_ok($runs{$fuzzer} // 0, '>', 100, "$fuzzer: so many were tried");
}

done_testing();
