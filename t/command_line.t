#!/usr/bin/perl

# imagegram-convert by hand: its options, its exit status, what it says, and
# what it leaves behind, also where it is ended.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();

use Imagegram qw(slurp spew suspend wait_for);
use Imagegram::Image;
use Imagegram::Process qw(spawn);
use Test::More;


my $t = Imagegram->new;

my ($status, $said);
my $dir = $t->dir . '/by-hand';
my $png = Imagegram::Image::png(20, 10);

mkdir $dir or die "$dir: $!\n";


# --- images that are refused

for my $case (
    ['text',         'just text',           'is not a PNG, JPEG or BMP image'],
    ['half a PNG',   substr($png, 0, 50),   'cannot be decoded'],
    ['no byte',      '',                    ''],
    ['too many pixels', $png, 'declares too many pixels', '--max-pixels',
        '199'],
    ['too many bytes', $png, 'the image is too large', '--max-size', '50'],
    ['too long', Imagegram::Image::blank_png(4000, 4000),
        'takes too long to convert', '--timeout', '1ms'],
    ['too much memory', $png, 'needs too much memory to convert',
        '--memory', '100k'],
) {
    my ($what, $image, $reason, @options) = @$case;

    # AddressSanitizer does not give up memory
    next if $what eq 'too much memory' && $t->sanitized;

    ($status, $said) = $t->convert($image, @options);

    is($status, 2, "$what: exit status 2");
    like($said, qr/\Aimagegram-convert: [^\n]*$reason\n\z/, 'and one line');
}


# --- the command line

sub by_hand {
    my (@arguments) = @_;

    my $command = $t->sanitizers
        . join ' ', $t->converter, @arguments, '2>&1 3<&-';

    $said = `$command`;

    return $? >> 8;
}

spew("$dir/in.png", $png);

for my $case (
    ['no such file',   'cannot be opened', "$dir/none",   "$dir/out"],
    ['a folder',       'is not a file',    $dir,          "$dir/out"],
    ['a device',       'is not a file',    '/dev/null',   "$dir/out"],
    ['into nothing',   'cannot be written', "$dir/in.png", "$dir/none/out"],
    ['into a folder',  'is not a file',    "$dir/in.png", $dir],
    ['into a device',  'is not a file',    "$dir/in.png", '/dev/full'],
    ['into a place without room for a temporary file\'s name',
        'cannot be written: File name too long', "$dir/in.png",
        $dir . '/.' x ((4090 - length $dir) / 2) . '/x'],
    ['no output',      'usage',            "$dir/in.png"],
    ['three files',    'usage',            "$dir/in.png", "$dir/out", 'x'],
    ['no arguments',   'usage'],
    ['no option',      'usage', '--enlarge', "$dir/in.png", "$dir/out"],
    ['no value',       'usage', "$dir/in.png", "$dir/out", '--size'],
    ['not for hands',  'is for nginx',     '-w'],

    # no end can be found of it
    ['what is no image at all', 'could not be converted', '/proc/self/mem',
        "$dir/out"],
) {
    my ($what, $word, @arguments) = @$case;

    is(by_hand(@arguments), 1, "$what: exit status 1");
    like($said, qr/$word/, "$what: $word");
}

for my $help ('-h', '--help', '--size=9x9 -h x y') {
    is(by_hand($help), 0, "$help: exit status 0");
    like($said, qr/\Ausage: .*--timeout/s, "$help: all options");
}

# numbers of up to nine digits, with what may stand behind

for my $options (
    map({ "--size=$_" } '', '5', '5x', 'x5', '5x5x5', '0x5', '5x0', '-5x5',
        '16385x1', '1x16385', '5X5'),
    map({ "--fit=$_" } '', 'crop', 'Cover'),
    map({ "--quality=$_" } '', '0', '101', '1k', '-1', '+1', '1.5'),
    map({ my $option = $_; map { "--$option=$_" } '', '0', '0g', 'g', '1x',
        '1kk', '1kB', '1t', '-1', '1234567890' }
        qw(max-size max-pixels memory)),
    map({ "--timeout=$_" } '', '0', '0ms', 's', '1m', '1sec', '86401',
        '86400001ms', '1234567890'),
) {
    is(by_hand($options, "$dir/in.png", "$dir/out"), 1, "$options: refused");
    like($said, qr/\Aimagegram-convert: invalid value "[^"\n]*"\nusage: /,
        "$options: is the value's fault");
}

ok(!-e "$dir/out", 'nothing was written');

for my $options ('--size=16x16384', '--size=16384x16', '--quality=1',
    '--quality=100', map({ "--max-size=$_" } qw(1k 1K 1m 1M 999999999G)),
    map({ "--max-pixels=$_" } 200, '1k'), map({ "--memory=$_" }
    qw(999999999g 1G)), map({ "--timeout=$_" } qw(86400 86400s 86400000ms)))
{
    is(by_hand($options, "$dir/in.png", "$dir/out"), 0, "$options: accepted");
    is($said, '', "$options: nothing said");
}

unlink "$dir/out";


# --- what is left behind

# what was there stays where an image is refused, and is replaced by another

my ($in, $out) = ("$dir/in", "$dir/out");

for my $case ([2, 'x'], [0, $png]) {
    spew($out, 'precious');
    spew($in, $case->[1]);
    my $command = $t->sanitizers . $t->converter . " $in $out 2>&1";
    $said = `$command`;

    is($? >> 8, $case->[0], 'over a file that is there');
    is(slurp($out) eq 'precious' ? 2 : 0, $case->[0], 'it stays or not');
    is_deeply([sort glob "$dir/*"], [$in, "$in.png", $out],
        'and nothing else is left');
}

# ended while it converts, or with a folder in its way

my ($large, $log) = map { $t->dir . "/$_" } qw(large said);

spew($out, 'precious');
spew($large, Imagegram::Image::blank_png(6000, 6000));

sub start {
    my $pid = spawn($t->sanitizers . join(' ', $t->converter,
        '--timeout=300s', $large, $out), $log);

    wait_for(sub { scalar(() = glob "$out.*") }, 60)
        or die "no temporary file\n";

    return $pid;
}

for my $signal (qw(HUP INT QUIT TERM)) {
    my $pid = start();

    kill $signal, $pid;
    waitpid $pid, 0;

    is($? >> 8, 128 + POSIX->can("SIG$signal")->(),
        "SIG$signal: exit status");
    is(slurp($out), 'precious', "SIG$signal: what was there stays");
    is_deeply([sort glob "$dir/*"], [$in, "$in.png", $out],
        "SIG$signal: and nothing else is left");
}

unlink $out or die "$out: $!\n";

my $pid = start();

suspend($pid);
mkdir $out or die "$out: $!\n";
kill 'CONT', $pid;
waitpid $pid, 0;

is($? >> 8, 1, 'a folder in its place: exit status 1');
like(slurp($log), qr/\Q$out\E: cannot be written/,
    'a folder in its place: a word about it');
is_deeply([sort glob "$dir/* $out/*"], [$in, "$in.png", $out],
    'a folder in its place: and nothing else is left');

done_testing();
