package Bench::Memory;

# Peaks of resident memory: of the workers, while images of 100 MB are
# uploaded in each way; of the converter child, by hand, for the images that
# need the most.

use strict;
use warnings;

use List::Util qw(max);

use Bench::Image ();
use Bench::Server ();
use Bench::Stats qw(table);
use Bench::Upload ();
use Imagegram qw(memory spew slurp);

use constant {
    MB    => 1024 * 1024,
    LARGE => 100 * 1024 * 1024,
};


sub run {
    my ($peak) = @_;

    my ($workers, $workers_text) = workers();
    my ($child, $child_text) = child($peak);

    return ({ worker_growth_mb => $workers, child_mb => $child },
        "$workers_text\n$child_text");
}


# New workers that served a few requests are what the peaks are compared with;
# what one upload leaves behind counts for the next.

sub workers {
    my $server = Bench::Server->new;

    $server->fill(20);

    my @pids = $server->t->worker_pids;
    my %idle = map { $_ => memory($_) } @pids;

    my %results;
    my @rows = [ '', qw(multipart JSON) ];

    for my $format (qw(png bmp jpeg)) {
        my $file = $server->dir . '/image';

        Imagegram::Image->can("big_$format")->($file, LARGE);

        my $image = slurp($file);

        for my $kind (qw(multipart json)) {
            my $message = Bench::Upload->can($kind)->(\$image);

            spew("/proc/$_/clear_refs", '5') for @pids;
            Bench::Upload->start($server->api, ([$message]) x 4)->finish;

            $results{$format}{$kind} = max(map {
                memory($_, 'VmHWM') - $idle{$_}
            } @pids) / MB;
        }

        push @rows, [ uc $format, map { sprintf '%.1f', $_ }
            @{ $results{$format} }{qw(multipart json)} ];
    }

    my $text = sprintf "Memory: peak of a worker while four images of 100 MB "
        . "are uploaded, above its %.1f MB\nwhen idle; MB\n\n%s",
        max(values %idle) / MB, table(@rows);

    return (\%results, $text);
}


my @images = (
    [ 'BMP, 33 megapixels, 24 bit, 100 MB' => sub {
        Imagegram::Image::big_bmp($_[0], LARGE);
    } ],
    [ 'PNG, 33 megapixels, RGB, 100 MB' => sub {
        Imagegram::Image::big_png($_[0], LARGE);
    } ],
    [ 'BMP, 256 megapixels, 1 bit' => \&Bench::Image::bmp ],
    [ 'PNG, 256 megapixels, RGBA, 16 bit, interlaced'
        => \&Bench::Image::png ],
    [ 'JPEG, 256 megapixels' => \&Bench::Image::jpeg ],
    [ 'JPEG, 256 megapixels, progressive' => sub {
        Bench::Image::jpeg($_[0], progressive => 1);
    } ],
    [ 'JPEG, 256 megapixels, progressive, CMYK' => sub {
        Bench::Image::jpeg($_[0], progressive => 1, components => 4);
    } ],
);


sub child {
    my ($peak) = @_;

    my $dir = File::Temp->newdir(TMPDIR => 1);
    my $converter = "$ENV{IMAGEGRAM_BUILD}/imagegram-convert";

    my %results;
    my @rows = [ '', 'peak' ];

    for my $image (@images) {
        my ($label, $make) = @$image;

        $make->("$dir/image");

        my ($kb, $status) = split / /,
            `$peak $converter $dir/image $dir/out.jpg 2> $dir/said`;

        chomp(my $said = slurp("$dir/said"));

        $results{$label} = $status == 0 ? $kb / 1024 : undef;
        push @rows, [ $label, $status == 0 ? sprintf('%.0f', $kb / 1024)
            : 'refused: ' . $said =~ s/.*: //r ];
    }

    return (\%results, "The converter child's peak; MB\n\n" . table(@rows));
}


1;
