package Bench::Figures;

# The figures of bench/results.json as docs/performance.md shows them: tables
# between marks, and a plot.

use strict;
use warnings;

use JSON::PP ();

use Bench::Convert ();
use Bench::Mixed ();
use Bench::Requests ();
use Bench::Scale ();
use Imagegram qw(slurp);

# what the plot compares: pages per second

my @bars = (
    [ static     => 'nginx, a static file of the same bytes' ],
    [ cached     => 'Imagegram, imagegram_cache' ],
    [ redis_feed => 'redis-benchmark, the script alone' ],
    [ feed       => 'Imagegram, asking Redis each time' ],
    [ lua_cards  => 'nginx with Lua, the same script' ],
    [ lua        => 'nginx with Lua, hashes and lists' ],
    [ node       => 'Node.js, hashes and lists' ],
);

use constant {
    WIDTH => 720,
    LEFT  => 270,           # of the bars
    ROOM  => 380,           # for the longest one
    STEP  => 32,
    BAR   => 20,
};


sub results {
    my ($top) = @_;
    return JSON::PP->new->utf8->decode(slurp("$top/bench/results.json"));
}


# The document with the tables of these results.

sub document {
    my ($text, $results) = @_;

    my %tables = (
        images   => \&Bench::Convert::text,
        mixed    => \&Bench::Mixed::text,
        requests => \&Bench::Requests::text,
        scale    => \&Bench::Scale::text,
    );

    for my $part (sort keys %tables) {
        my $table = $results->{$part}
            ? "```\n" . $tables{$part}->($results->{$part}) . "```\n"
            : "(not measured yet)\n";

        $text =~ s/^(<!-- $part -->\n).*?^(?=<!-- end -->)/$1$table/ms
            or die "no mark for $part\n";
    }

    my $machine = sprintf "%s, %d processors, Linux %s\n",
        @$results{qw(processor processors kernel)};

    $text =~ s/^(<!-- machine -->\n).*?^(?=<!-- end -->)/$1$machine/ms
        or die "no mark for the machine\n";

    return $text;
}


# A plot in SVG: a bar for each that was measured.

sub plot {
    my ($results) = @_;

    my $of = $results->{requests};
    my @shown = grep { $of->{ $_->[0] } } @bars;
    my ($most) = sort { $b <=> $a } map { $of->{ $_->[0] }{rps} } @shown;
    my $height = STEP * @shown + 50;
    my $y = 40;
    my $svg = '';

    for my $bar (@shown) {
        my ($name, $label) = @$bar;
        my $rps = $of->{$name}{rps};
        my $width = sprintf '%.0f', ROOM * $rps / $most;
        my $colour = $label =~ /^Imagegram/ ? '#c8501e' : '#8a939c';

        $svg .= sprintf qq(<text x="%d" y="%d" text-anchor="end">%s</text>\n)
            . qq(<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>\n)
            . qq(<text x="%d" y="%d">%s</text>\n),
            LEFT - 10, $y + 15, $label, LEFT, $y, $width, BAR, $colour,
            LEFT + $width + 8, $y + 15,
            Bench::Scale::thousands(sprintf '%.0f', $rps);
        $y += STEP;
    }

    return sprintf(qq(<svg xmlns="http://www.w3.org/2000/svg" width="%d" )
        . qq(height="%d" viewBox="0 0 %1\$d %2\$d"\n     )
        . qq(font-family="sans-serif" font-size="13">\n)
        . qq(<rect width="100%%" height="100%%" fill="#ffffff"/>\n)
        . qq(<text x="%d" y="24" font-weight="bold">Pages of the feed per )
        . qq(second, %d connections</text>\n), WIDTH, $height, LEFT,
        Bench::Load::CONNECTIONS()) . "$svg</svg>\n";
}


1;
