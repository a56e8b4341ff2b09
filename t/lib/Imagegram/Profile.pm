package Imagegram::Profile;

# ICC profiles (ICC.1:2010, version 2.4), and images that have them.  A tag is
# its name => its bytes.

use strict;
use warnings;

use Compress::Zlib ();
use Exporter 'import';

our @EXPORT_OK = qw(@d50 bmp fixed gamma iccp profile rgb_profile swapped);


sub profile {
    my ($space, $class, %tags) = @_;

    my ($table, $data) = (pack('N', scalar keys %tags), '');
    my $at = 128 + 4 + 12 * keys %tags;

    for my $name (sort keys %tags) {
        $data .= "\0" x (-length($data) % 4);
        $table .= $name . pack 'NN', $at + length $data, length $tags{$name};
        $data .= $tags{$name};
    }

    return pack('Nx4Na4a4a4x12a4x28', $at + length $data, 0x02400000, $class,
        $space, $space eq 'CMYK' ? 'Lab ' : 'XYZ ', 'acsp')
        . pack('N3', 0xf6d6, 0x10000, 0xd32d) . "\0" x 48 . $table . $data;
}

sub fixed { return pack 'N*', map { int($_ * 65536 + 0.5) } @_ }
sub xyz   { return "XYZ \0\0\0\0" . fixed(@_) }
sub gamma { return "curv\0\0\0\0" . pack 'Nnn', 1, $_[0] * 256, 0 }

our @d50 = (wtpt => xyz(0.9642, 1, 0.8249));

# options: class, name

sub rgb_profile {
    my ($curve, $primaries, %options) = @_;

    my @primaries = @$primaries;
    my %tags = @d50;

    $tags{desc} = "desc\0\0\0\0" . pack('N/a', "$options{name}\0")
        . "\0" x 78 if $options{name};

    @tags{qw(rXYZ gXYZ bXYZ)} = map { xyz(@$_) } @primaries;
    @tags{qw(rTRC gTRC bTRC)} = ($curve) x 3;

    return profile('RGB ', $options{class} // 'mntr', %tags);
}


# Of rgb_profile: red where sRGB has blue, and the other way round

sub swapped {
    return (gamma(2.2), [[0.1431, 0.0606, 0.7141],
        [0.3851, 0.7169, 0.0971], [0.4360, 0.2225, 0.0139]]);
}


# The chunk of a PNG

sub iccp {
    return [iCCP => "x\0\0" . Compress::Zlib::compress($_[0])];
}


# A BMP, of which only the last header knows profiles: red, 8 x 8, then the
# profile, of which it says kind, place and length

sub bmp {
    my ($profile, $kind, $at, $length) = @_;

    my $pixels = "\0\0\xff" x 64;

    return pack('a2VVV', 'BM', 0, 0, 138)
        . pack('V3vvV7x12Vx48V4', 124, 8, 8, 1, 24, (0) x 7, $kind, 0, $at,
            $length, 0) . $pixels . $profile;
}


1;
