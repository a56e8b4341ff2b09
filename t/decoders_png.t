#!/usr/bin/perl

# PNG: what is damaged, cut off or against the rules is refused, and for which
# reason; what is only odd becomes the right picture.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();

use Imagegram;
use Imagegram::Image;
use Imagegram::Verdict;
use Test::More;


my $t = Imagegram->new;

my @red = (255, 0, 0);
my @white = (255, 255, 255);
my @grey = (128, 128, 128);


# --- chunks; 8 x 8, as a rule, and red

my $rows = ("\0" . "\xff\0\0" x 8) x 8;

sub chunk { return Imagegram::Image::chunk(@_) }

sub ihdr {
    my (%options) = @_;

    return chunk('IHDR', pack 'NNC5', 8, 8, $options{depth} // 8,
        $options{type} // 2, 0, 0, 0);
}

# pixels behind another header of zlib's

sub other_zlib {
    return chunk('IDAT', $_[0] . substr Compress::Zlib::compress($rows), 2);
}

sub idat { return chunk('IDAT', Compress::Zlib::compress($_[0])) }

my $signature = "\x89PNG\r\n\x1a\n";
my $iend = chunk('IEND', '');
my $indexes = ("\0" . "\0" x 8) x 8;
my @palette = (ihdr(type => 3), chunk('PLTE', pack 'C3', @red));

sub png { return join '', $signature, @_ }

my $start = png(ihdr());
my $end = idat($rows) . $iend;

shows($t, 'a PNG', $start . $end, [], 300, 300, \@red);
shows($t, 'one with a palette', png(@palette, idat($indexes), $iend), [],
    300, 300, \@red);

for my $case (
    ['no palette',              ihdr(type => 3), idat($indexes)],
    ['a palette of nothing',    ihdr(type => 3), chunk('PLTE', ''),
        idat($indexes)],
    ['a third of a colour',     ihdr(type => 3), chunk('PLTE', "\xff\0\0\0"),
        idat($indexes)],
    ['257 colours',             ihdr(type => 3),
        chunk('PLTE', "\xff\0\0" x 257), idat($indexes)],
    ['a critical chunk that nobody knows', ihdr(), chunk('CgBI', "\0" x 4),
        idat($rows)],
    ['a second header',         ihdr(), ihdr(), idat($rows)],
    ['a second palette',        @palette, $palette[1], idat($indexes)],
    ['no pixels',               ihdr()],
    ['a chunk of 2 GB',         ihdr(), pack('N', 2**31) . 'tEXt'],
    ['another chunk amid the pixels', ihdr(), chunk('IDAT', "\x78\x01"),
        chunk('tEXt', "x\0y"), chunk('IDAT',
        substr Compress::Zlib::compress($rows), 2)],
    ['a wrong sum of a palette', ihdr(type => 3), chunk('PLTE', pack 'C3', @red)
        ^ "\0" x 14 . "\1", idat($indexes)],
    ['a wrong sum of pixels',   ihdr(), idat($rows) =~ s/.\z/x/sr],
    ['no zlib',                 ihdr(), other_zlib("\x78\x02")],
    ['zlib of another kind',    ihdr(), other_zlib("\x79\x17")],
    ['zlib with a dictionary',  ihdr(), other_zlib("\x78\xf9")],
    ['a window of 64 KB',       ihdr(), other_zlib("\x88\x1c")],
    ['no deflate',              ihdr(), chunk('IDAT', "\x78\x01\x07\0")],
    ['a row too few',           ihdr(), idat(substr $rows, 25)],
    ['a byte too few',          ihdr(), idat(substr $rows, 1)],
    ['an end with data, cut off', ihdr(), idat($rows),
        pack('N', 40) . 'IEND'],
    ['filter 5',                ihdr(), idat("\5" . substr $rows, 1)],
    ['filter 255, later',       ihdr(), idat($rows =~ s/(.{25})\0/$1\xff/r)],
) {
    my ($what, @chunks) = @$case;

    damaged($t, "$what", png(@chunks, $iend));
}

# each chunk cut off in its head, its data and its sum

my @chunks = (@palette, chunk('tRNS', "\xff"), chunk('gAMA', pack 'N', 45_455),
    chunk('sRGB', "\0"), chunk('iCCP', "x\0\0" . Compress::Zlib::compress('x')),
    chunk('eXIf', "MM\0*\0\0\0\x08\0\0"), chunk('tEXt', "x\0y"),
    idat($indexes), chunk('tEXt', "x\0y"), $iend);

shows($t, 'all of its chunks', png(@chunks), [], 300, 300, \@red);

for my $i (1 .. $#chunks) {
    my ($type, $length) = (substr($chunks[$i], 4, 4), length $chunks[$i]);

    for my $cut (grep { $_ < $length } 0, 5, 8, 9, $length - 4, $length - 1) {
        damaged($t, "$cut bytes of $type $i",
            png(@chunks[0 .. $i - 1], substr $chunks[$i], 0, $cut));
    }
}

damaged($t, 'a transparent color cut off', $start
    . substr chunk('tRNS', "\0" x 6), 0, 11);

# what is broken and does not matter, or may come in pieces

my $zlib = Compress::Zlib::compress($rows);
my $profile = "x\0\0" . Compress::Zlib::compress("\0" x 200);

for my $case (
    ['a palette for RGB',         chunk('PLTE', "\0\xff\0" x 300)],
    ['transparency for RGB that is too short', chunk('tRNS', "\0\xff\0")],
    ['a gamma of three bytes',    chunk('gAMA', "\0\1\0")],
    ['a gamma of zero',           chunk('gAMA', "\0\0\0\0")],
    ['a profile without end of its name', chunk('iCCP', 'x' x 200)],
    ['a profile compressed by something else', chunk('iCCP', "x\0\1abc")],
    ['a profile that is no zlib', chunk('iCCP', "x\0\0abc")],
    ['a profile of one byte',     chunk('iCCP', "x\0\0x")],
    ['a profile cut off',         chunk('iCCP', substr $profile, 0, 10)],
    ['a profile of zeros',        chunk('iCCP', $profile)],
    ['a profile of more than 4 MB', chunk('iCCP', "x\0\0" . 'x' x (1 << 22))],
) {
    my ($what, $chunk) = @$case;

    shows($t, "$what", $start . $chunk . $end, [], 300, 300, \@red);
}

for my $case (
    ['transparency for RGBA', ihdr(type => 6), chunk('tRNS', "\0\xff\0\0\0\0"),
        idat(scalar(("\0" . "\xff\0\0\xff" x 8) x 8))],
    ['transparency of more than the palette', @palette,
        chunk('tRNS', "\xff\0\0"), idat($indexes)],
    ['each byte in a chunk',  ihdr(), map { chunk('IDAT', $_) } split //,
        $zlib],
    ['empty chunks',          ihdr(), map { chunk('IDAT', $_) } '',
        substr($zlib, 0, 1), '', '', substr($zlib, 1), ''],
    ['more rows than it has', ihdr(), idat($rows x 2)],
    ['no sum of its pixels',  ihdr(), chunk('IDAT', substr $zlib, 0, -4)],
) {
    my ($what, @chunks) = @$case;

    shows($t, "$what", png(@chunks, $iend), [], 300, 300, \@red);
}

# EXIF of up to 64 KB, as in JPEG: turned, or not

my $upside_down = "MM\0*\0\0\0\x08\0\1" . pack 'nnNnn', 0x112, 3, 1, 3, 0;

for my $case (
    [65_536, [250, 250, 250], [230, 20, 20]],
    [65_537, [230, 20, 20], [250, 250, 250]],
) {
    my ($size, $first, $last) = @$case;

    shows($t, "EXIF of $size bytes", Imagegram::Image::png(8, 8,
        chunks => [[eXIf => pack "a$size", $upside_down]]), [],
        100, 100, $first, 500, 500, $last);
}

# each filter first, and behind each other: the same picture as without

sub filtered {
    my ($depth, $type, $interlaced, $first) = @_;

    my ($width, $height) = (19, 25);
    my $bits = $depth * (1, 0, 3, 1, 2, 0, 4)[$type];
    my $step = int(($bits + 7) / 8);
    my $data = '';

    for my $pass (Imagegram::Image::passes(interlaced => $interlaced)) {
        my ($left, $top, $across, $down) = @$pass;
        my $lines = int(($height - $top + $down - 1) / $down);
        my $n = int((int(($width - $left + $across - 1) / $across) * $bits
            + 7) / 8);
        my $noise = Imagegram::Image::noise($n * $lines);
        my @above = (0) x ($step + $n);

        for my $y (0 .. $lines - 1) {
            my $filter = defined $first ? ($first + $y + int($y / 5)) % 5 : 0;
            my @row = ((0) x $step, unpack 'C*', substr $noise, $y * $n, $n);

            $data .= pack 'C*', $filter, map { $row[$_] - predicted($filter,
                $row[$_ - $step], $above[$_], $above[$_ - $step]) & 255 }
                $step .. $#row;
            @above = @row;
        }
    }

    return png(chunk('IHDR', pack 'NNC5', $width, $height, $depth, $type, 0,
        0, $interlaced), chunk('PLTE', Imagegram::Image::noise(768)),
        idat($data), $iend);
}

sub predicted {
    my ($filter, $left, $above, $corner) = @_;

    return (0, $left, $above, $left + $above >> 1)[$filter] if $filter < 4;

    my ($p, $nearest) = ($left + $above - $corner, $left);

    for ($above, $corner) {
        $nearest = $_ if abs($p - $_) < abs($p - $nearest);
    }

    return $nearest;
}

for my $case ([1, 0, 0], [8, 0, 0], [8, 4, 0], [8, 3, 0], [8, 2, 0],
    [8, 6, 0], [16, 0, 0], [16, 2, 0], [16, 6, 0], [1, 0, 1], [8, 2, 1])
{
    my ($plain, @filtered) = map { ($t->convert(filtered(@$case, $_)))[2] }
        undef, 0 .. 4;

    ok(length $plain, "noise of @$case");
    ok($filtered[$_] eq $plain, "noise of @$case, filter $_ first")
        for 0 .. 4;
}

# gamma, where nothing else tells about colours; in 8 bits 60 becomes 132

my @gamma = (gAMA => pack 'N', 100_000);

for my $case ([0, 8], [0, 16], [2, 8], [2, 16], [3, 8], [4, 8], [6, 16]) {
    my %options = (type => $case->[0], depth => $case->[1],
        pixel => sub { 60, 60, 60 });

    shows($t, "gamma, @$case", Imagegram::Image::png(2, 2, %options,
        chunks => [\@gamma]), [], 300, 300, [(132) x 3]);
    shows($t, "gamma and sRGB, @$case", Imagegram::Image::png(2, 2,
        %options, chunks => [\@gamma, [sRGB => "\0"]]), [],
        300, 300, [(60) x 3]);
}

# one grey that is transparent

for my $depth (1, 2, 4, 8, 16) {
    shows($t, "black is transparent, $depth bit", Imagegram::Image::png(2, 2,
        type => 0, depth => $depth, chunks => [[tRNS => "\0\0"]],
        pixel => sub { 0, 0, 0 }), [], 300, 300, \@white);
    shows($t, "as long as for RGB, $depth bit", Imagegram::Image::png(2, 2,
        type => 0, depth => $depth, chunks => [[tRNS => "\0" x 6]],
        pixel => sub { 0, 0, 0 }), [], 300, 300, [0, 0, 0]);
}

# what lies above and below what is seen; as long as it gets, to one pixel

my ($plain, $interlaced) = map {
    ($t->convert(Imagegram::Image::png(5, 100, interlaced => $_),
        '--size=20x20'))[2]
} 0, 1;

ok(length $plain && $plain eq $interlaced,
    'tall and interlaced: the same picture');

shows($t, 'boxes of more than 4 billion', png(chunk('IHDR', pack 'NNC5',
    65_535, 1100, 1, 0, 0, 0, 0), idat(("\0" . "\xff" x 8192) x 1100 . ''),
    $iend), ['--size=1x1', '--fit=stretch'], 0, 0, \@white);

for my $size ([60_000, 2], [2, 60_000]) {
    my $grey = Imagegram::Image::png(@$size, type => 0, depth => 1,
        pixel => sub { $_[0] & 1 ^ $_[1] & 1 ? (0) x 3 : (255) x 3 });

    shows($t, "@$size to one pixel", $grey, ['--size=1x1', '--fit=stretch'],
        0, 0, \@grey);
}

done_testing();
