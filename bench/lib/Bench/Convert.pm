package Bench::Convert;

# What the converter takes for a picture, beside sharp, vipsthumbnail and
# MagickWand: the same files in turn, each to a progressive JPEG of 600x600.
#
# The converter and sharp are warm: they run already, and have converted a
# photo.  vipsthumbnail, MagickWand, and once more the converter, by hand, are
# started for each picture.

use strict;
use warnings;

use Cwd ();
use File::Temp ();
use IPC::Open2 ();

use Bench::Peers ();
use Bench::Stats qw(median table);
use Bench::Sustain ();
use Imagegram qw(memory slurp spew);
use Imagegram::Image ();

use constant {
    MB    => 1024 * 1024,
    TURNS => 5,
};

# label, name of the file
my @pictures = (
    [ 'JPEG, 2 MP, a phone\'s' => 'phone.jpg' ],
    [ 'JPEG, 24 MP' => 'baseline.jpg' ],
    [ 'JPEG, 24 MP, progressive' => 'progressive.jpg' ],
    [ 'PNG, 24 MP' => 'photo.png' ],
    [ 'PNG, 400 MP' => 'large.png' ],
    [ 'BMP, 24 bit, 33 MP' => '24.bmp' ],
    [ 'BMP, 8 bit, 100 MP' => '8.bmp' ],
);

# those that ours is measured by take part in each turn, the others in one
my %measure = (sharp => qr/./, vips => qr/\.bmp$/);

# by hand; the limit of pixels is no part of what is measured
my $converter = "$ENV{IMAGEGRAM_BUILD}/imagegram-convert --max-pixels 400m";

my @programs = (
    [ ours   => 'ours' ],
    [ hand   => 'by hand' ],
    [ sharp  => 'sharp' ],
    [ sharp1 => 'sharp, 1' ],
    [ vips   => 'vips' ],
    [ magick => 'Magick' ],
);


sub run {
    my ($tools, $probe, $processors) = @_;

    my $dir = File::Temp->newdir(TMPDIR => 1);

    system(qw(cc -O2 -o), "$tools/job", Imagegram->top . '/bench/job.c') == 0
        or die "job.c does not compile\n";

    for my $program ([ photo => 'spng' ], [ magick => 'MagickWand' ]) {
        my ($name, $library) = @$program;
        my $source = Imagegram->top . "/bench/$name.c";

        system("cc -O2 -o $tools/$name '$source'"
            . " \$(pkg-config --cflags --libs $library)") == 0
            or die "$name.c does not compile\n";
    }

    make($tools, $dir);

    my $self = bless { tools => $tools, dir => $dir,
        sharp => Bench::Peers::installed('peers') }, __PACKAGE__;

    my %pictures = map {
        my $name = $_->[1];
        $name => { bytes => -s "$dir/$name", db => $self->quality($name),
            %{ $self->picture($name) } };
    } @pictures;

    my %figures = (
        pictures  => \%pictures,
        photos    => $self->photos,
        sustained => Bench::Sustain::run($probe, slurp("$dir/phone.jpg"),
            $processors),
    );

    return (\%figures, text(\%figures));
}


# The pictures: the same on every machine, in some ten seconds.

sub make {
    my ($tools, $dir) = @_;

    my $photo = "$tools/photo";

    for my $command (
        "$photo ppm 1632 1224 2 | cjpeg -quality 85 > $dir/phone.jpg",
        "$photo ppm 6000 4000 1 > $dir/ppm",
        "cjpeg -quality 90 $dir/ppm > $dir/baseline.jpg",
        "cjpeg -quality 90 -progressive $dir/ppm > $dir/progressive.jpg",
        "rm $dir/ppm",
        "$photo png 6000 4000 1 > $dir/photo.png",
        "$photo png 20000 20000 1 50 > $dir/large.png",
        "$photo bmp24 6800 4900 1 2 > $dir/24.bmp",
        "$photo bmp8 10000 10000 1 4 > $dir/8.bmp",
        "sync $dir/*",          # or the converter would, in its first turn
    ) {
        system($command) == 0 or die "failed: $command\n";
    }
}


# All programs in turn; gives the medians of each, and of the ratios of its
# time in a turn to ours.

sub picture {
    my ($self, $name) = @_;

    my %warm = map { $_ => $self->start($_) } 'ours',
        $self->{sharp} ? qw(sharp sharp1) : ();
    my (%samples, %failed);

    for my $turn (1 .. TURNS) {
        for my $program (map { $_->[0] } @programs) {
            next if $failed{$program} || $turn > turns($program, $name);

            my $sample = $warm{$program} ? $self->ask($warm{$program}, $name)
                : $program =~ /^sharp/ ? undef
                : $self->once($program, $name);

            if (!$sample) {
                $failed{$program} = 1;
                next;
            }

            push @{ $samples{$program} }, $sample;
        }
    }

    stop($_) for values %warm;

    die "the converter refuses $name\n" if $failed{ours};

    return medians(\%samples);
}


sub turns {
    my ($program, $name) = @_;

    my $measured = $program =~ /^(?:ours|hand)$/
        || $measure{$program} && $name =~ $measure{$program};

    return $measured ? TURNS : 1;
}


# How near ours comes to what MagickWand makes of the whole picture: the peak
# signal to noise ratio, dB, of both as JPEGs that keep as much as they can.

sub quality {
    my ($self, $name) = @_;

    my ($dir, $tools) = @$self{qw(dir tools)};
    my $picture = $name =~ m{^/} ? $name : "$dir/$name";
    my $whole = "$tools/magick $picture $dir/whole.ppm 2> $dir/said && "
        . "cjpeg -quality 100 -sample 2x2 $dir/whole.ppm > $dir/whole.jpg";
    my $ours = "$converter --quality 100 $picture $dir/out.jpg";

    return undef if system($whole) != 0;

    system($ours) == 0 or die "failed: $ours\n";

    return Imagegram::Image::psnr(map {
        Imagegram::Image::decode(slurp("$dir/$_.jpg"))
    } qw(out whole));
}


# The same of photos that somebody took, where they are there (see t/corpora.t):
# the lowest and the highest.  MagickWand turns orientation 7 another way.

sub photos {
    my ($self) = @_;

    my @photos = grep { !/_7\.jpg$/ } glob(($ENV{IMAGEGRAM_CORPORA}
        // Imagegram->top . '/../shared/corpora') . '/exif-orientation/*.jpg');

    return {} unless @photos;

    my @db = sort { $a <=> $b } map { $self->quality(Cwd::abs_path($_)) }
        @photos;

    return { n => scalar @db, least => $db[0], most => $db[-1] };
}


sub medians {
    my ($samples) = @_;

    my @ours = @{ $samples->{ours} };
    my %medians;

    for my $program (keys %$samples) {
        my @of = @{ $samples->{$program} };

        for my $name (keys %{ $of[0] }) {
            $medians{$program}{$name} = median(map { $_->{$name} } @of);
        }

        $medians{$program}{ratio} = median(map {
            $ours[$_]{ms} / $of[$_]{ms}
        } 0 .. $#of);
    }

    return \%medians;
}


# A program of its own.

sub once {
    my ($self, $program, $name) = @_;

    my ($dir, $tools) = @$self{qw(dir tools)};
    my %commands = (
        hand   => "$converter $dir/$name $dir/out.jpg",
        vips   => "vipsthumbnail --size 600x600 --smartcrop centre "
            . "-o '$dir/out.jpg[Q=82,interlace]' $dir/$name",
        magick => "$tools/magick $dir/$name $dir/out.jpg",
    );

    my ($kb, $status, $us, $cpu) = split ' ',
        `$tools/peak $commands{$program} 2> $dir/said`;

    return $status == 0 ? { ms => $us / 1000, cpu => $cpu / 1000,
        mb => $kb / 1024 } : undef;
}


# What is warm: the converter as a worker has it, or sharp, with as many threads
# as it likes, or one.  Each has converted a photo.

sub start {
    my ($self, $program) = @_;

    my $out = "$self->{dir}/out.jpg";
    my @command = $program eq 'ours'
        ? ("$self->{tools}/job", "$ENV{IMAGEGRAM_BUILD}/imagegram-convert",
            $out)
        : ('node', Imagegram->top . '/build/peers/sharp.mjs', $out,
            $program eq 'sharp1' ? 1 : ());

    my $pid = IPC::Open2::open2(my $from, my $to, @command);
    my $warm = { pid => $pid, from => $from, to => $to };

    $self->ask($warm, 'phone.jpg') for 1, 2;

    return $warm;
}


# Says how long a picture took, and sharp what else it took: of the converter
# the children are not seen, so that is measured by hand.

sub ask {
    my ($self, $warm, $name) = @_;

    spew("/proc/$warm->{pid}/clear_refs", '5');
    syswrite $warm->{to}, "$self->{dir}/$name\n";

    chomp(my $answer = readline($warm->{from})
        // die "$name: no answer\n");

    my ($ms, $cpu) = split ' ', $answer;

    return if $ms eq '-';
    return { ms => $ms } unless defined $cpu;
    return { ms => $ms, cpu => $cpu,
        mb => memory($warm->{pid}, 'VmHWM') / MB };
}


sub stop {
    my ($warm) = @_;

    close $warm->{to};
    waitpid $warm->{pid}, 0;
}


# The tables of these figures.

sub text {
    my ($figures) = @_;

    my %tables = (
        ms  => "Wall time, ms; ours / sharp and ours / vips are ratios",
        cpu => 'Processor time, ms',
        mb  => 'Peak resident memory, MB',
    );

    my $text = sprintf "Images: each to a progressive JPEG of 600x600, medians "
        . "of %d turns; \"sharp, 1\", Magick,\nand vips where it is no BMP, "
        . "once (vips: vipsthumbnail; sharp, 1: with one thread;\nMB: of the "
        . "file; -: refused; dB: how near ours is to MagickWand's of the whole"
        . "\npicture, as PSNR)\n", TURNS;

    for my $name (qw(ms cpu mb)) {
        my @shown = grep { $name eq 'ms' || $_->[0] ne 'ours' } @programs;
        my @ratios = $name eq 'ms' ? ('/ sharp', '/ vips', 'dB') : ();
        my @rows = [ '', @ratios ? 'MB' : (), map({ $_->[1] } @shown),
            @ratios ];

        for my $picture (@pictures) {
            my ($label, $file) = @$picture;
            my $of = $figures->{pictures}{$file};

            push @rows, [ $label,
                @ratios ? sprintf('%.1f', $of->{bytes} / MB) : (),
                map({ number($of->{ $_->[0] }{$name}, 0) } @shown),
                @ratios ? (map({ number($of->{$_}{ratio}, 2) } qw(sharp vips)),
                    number($of->{db}, 1)) : () ];
        }

        $text .= "\n  $tables{$name}\n\n" . table(@rows);
    }

    my $photos = $figures->{photos};

    $text .= sprintf "\n  Of %d photos that somebody took, dB is %.1f to "
        . "%.1f.\n", @$photos{qw(n least most)} if $photos->{n};

    return "$text\n" . Bench::Sustain::text($figures->{sustained});
}


sub number {
    my ($n, $digits) = @_;
    return defined $n ? sprintf("%.${digits}f", $n) : '-';
}


1;
