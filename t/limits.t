#!/usr/bin/perl

# How much an image may be: bytes, to the byte and for each body; pixels; and
# what is small but asks for a lot.  A conversion has 64 MB for all of that.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

use Imagegram qw(memory slurp);
use Imagegram::Image;
use Test::More;


use constant MAX => 104_857_600;

# AddressSanitizer needs memory of its own
my $memory = Imagegram->sanitized ? '' : 'memory=64m';

my $t = Imagegram->new(
    settings => { converters => "1 timeout=5m $memory path=%%CONVERTER%%" },
    server   => '
    location /small/ {
        imagegram;
        imagegram_max_image_size 1k;
        imagegram_max_image_pixels 1000;
        client_max_body_size 100k;
    }')->start;

my @worker = $t->worker_pids;

# all that a worker needs once
$t->post;

my $peak = memory($worker[0], 'VmHWM');


sub form {
    my ($location, $image, %options) = @_;

    return $t->form("${location}posts", [author => 'ann', body => 'x',
        image => $image], %options);
}

sub json {
    my ($location, $image, %options) = @_;

    my ($type, $body, $length) = Imagegram::Body::json_body(author => 'ann',
        body => 'x', image_contents => ref $image ? $image
        : encode_base64($image, ''));

    return $t->request('POST', "${location}posts", body => $body,
        length => $length, headers => ['Content-Type' => $type], %options);
}

# What is refused leaves nothing behind.

sub refused {
    my ($what, $status, $code) = @_;

    my $before = $t->stored;
    my $r = $code->();

    is($r->{status}, $status, "$what: refused") or diag($r->{body});
    is($r->{json}{status}, $status, "$what: with a problem document");
    is_deeply($t->stored, $before, "$what: nothing is left");

    return $r;
}


# --- 100 MB and one byte more

my $big = $t->dir . '/big';

for my $case (
    [bmp => \&Imagegram::Image::big_bmp,  form => \&form],
    [png => \&Imagegram::Image::big_png,  json => \&json],
    [jpg => \&Imagegram::Image::big_jpeg, form => \&form],
) {
    my ($format, $make, $kind, $send) = @$case;

    $make->($big, MAX);
    is(-s $big, MAX, "a $format of 100 MB");

    my $r = $send->('/', { file => $big });

    is($r->{status}, 201, "$format in a $kind: accepted") or diag($r->{body});

    my $id = $r->{json}{PostID} // next;
    my $original = $t->storage . '/originals/' . join('/', $id =~ /^(..)(..)/)
        . "/$id.$format";

    is(system("cmp '$big' '$original'"), 0, 'and kept byte for byte');

    open my $file, '>>', $big or die "$big: $!\n";
    print {$file} 'x';
    close $file;

    refused("$format in a $kind, one byte more", 413,
        sub { $send->('/', { file => $big }) });

    is($t->delete("posts/$id")->{status}, 204, 'deleted');
}

refused('a body in chunks without an end', 413, sub {
    my $chunk = 'x' x 65_536;

    $t->request('POST', 'posts', body => sub { $chunk },
        headers => ['Content-Type' => 'multipart/form-data; boundary=x']);
});

unlink $big;

SKIP: {
    skip 'AddressSanitizer keeps what is freed', 1 if $t->sanitized;

    my $grown = memory($worker[0], 'VmHWM') - $peak;

    cmp_ok($grown, '<', 8 << 20, "the worker's peak grew by $grown bytes");
}


# --- said before the body is sent, by its length

for my $kind ('multipart/form-data; boundary=x', 'application/json') {
    for my $length (2 * MAX, 150_000_000, 10**15) {
        my $asked = 0;
        my @request = (method => 'POST', path => '/posts', length => $length,
            headers => ['Content-Type' => $kind],
            body => sub { $asked++; 'x' });

        my $r = refused("$kind of $length bytes", 413,
            sub { $t->connect->request(@request, expect => 1) });

        is_deeply($r->{interim}, [], 'without 100 Continue');
        is($asked, 0, 'the body is not waited for');
    }
}


# --- smaller limits

for my $send (\&form, \&json) {
    my $image = slurp(Imagegram::Image::big_bmp($t->dir . '/small', 1024));

    is(length $image, 1024, 'a BMP of 1024 bytes');
    is($send->('/small/', $image)->{status}, 201, 'is accepted');

    refused('1025 bytes', 413, sub { $send->('/small/', "$image-") });
    refused('2 MB', 413,
        sub { $send->('/small/', $image . '-' x 2_000_000) });
    is($send->('/', $image . '-' x 2_000_000)->{status}, 201,
        'accepted where the limits are larger');
}

for my $case (
    [png  => 40, 25, 201], [png  => 41, 25, 422], [png  => 1, 1001, 422],
    [jpeg => 40, 25, 201], [jpeg => 41, 25, 422], [jpeg => 1, 1001, 422],
    [bmp  => 40, 25, 201], [bmp  => 25, 41, 422], [bmp  => 1001, 1, 422],
) {
    my ($format, $width, $height, $status) = @$case;

    my $image = Imagegram::Image->can($format)->($width, $height,
        depth => $format eq 'bmp' ? 1 : 8, type => 0, pixel => sub { 0, 0, 0 });

    $status == 201
        ? is(form('/small/', $image)->{status}, 201, "$width pixels: $format")
        : refused("${width}x$height pixels: $format", 422,
            sub { form('/small/', $image) });
}


# --- large, and converted in little memory

# colours of noise, in progressive JPEG
sub photo {
    my ($width, $height) = @_;

    my $noise = Imagegram::Image::noise(6 * $width);

    return Imagegram::Image::filter("P6\n$width $height\n255\n" . join('',
        map { substr $noise, 3 * ($_ * 7 % $width), 3 * $width }
            1 .. $height), 'cjpeg', '-progressive', '-quality', 60);
}

# all at index 0
sub zeros {
    my ($width, $height, $depth) = @_;

    my $size = int(($width * $depth + 31) / 32) * 4 * $height;

    return Imagegram::Image::bmp_header($width, $height, $depth,
        54 + 4 * 2 ** $depth, $size) . "\0" x (4 * 2 ** $depth + $size);
}

SKIP: {
    skip 'AddressSanitizer needs memory of its own', 1 if !$memory;

    for my $case (
        ['a PNG of 10,000 x 8,000, RGBA of 16 bits',
            Imagegram::Image::blank_png(10_000, 8_000)],
        ['one of 6000 x 5000, interlaced',
            Imagegram::Image::blank_png(6000, 5000, interlaced => 1)],
        ['a BMP of 10,000 x 10,000, 8 bits', zeros(10_000, 10_000, 8)],
        ['a BMP of 16,000 x 16,000, 1 bit', zeros(16_000, 16_000, 1)],
        ['a progressive JPEG of 6000 x 5000', photo(6000, 5000)],
        ['one of 65,000 x 500', photo(65_000, 500)],
    ) {
        my ($what, $image) = @$case;
        my @result = $t->convert($image, '--memory=64m');

        is("@result[0, 1]", '0 ', "$what: in 64 MB");
    }
}


# --- small, and asking for much

sub bomb {
    my ($what, $image, $detail) = @_;

    my $start = time;
    my $r = refused($what, 422, sub { form('/', $image) });

    is($r->{json}{errors}[0]{field}, 'image', "$what: the image's fault");
    is($r->{json}{errors}[0]{detail}, $detail, "$what: for this reason")
        if $detail;
    cmp_ok(time - $start, '<', 15, "$what: in bounded time");
}

my $row = "\0" x 65_536;
my $zeros = Compress::Zlib::compress($row x 1024);
my $png = Imagegram::Image::png(8, 8);

sub png_with {
    my (@chunks) = @_;

    return substr($png, 0, 33)
        . join('', map { Imagegram::Image::chunk(@$_) } @chunks)
        . substr $png, 33;
}

# text is not even looked at

for my $chunk ([zTXt => "x\0\0$zeros"], [iTXt => "x\0\1\0\0\0$zeros"]) {
    my @result = $t->convert(png_with($chunk), '--memory=24m');

    is("@result[0, 1]", '0 ', "64 MB of text in $chunk->[0] cost nothing");
}

bomb('a PNG with a 64 MB profile',  png_with([iCCP => "x\0\0$zeros"]));
bomb('a PNG with 200,000 texts',    png_with(([tEXt => "x\0y"]) x 200_000));

sub header {
    my ($width, $height) = @_;

    return substr($png, 0, 8) . Imagegram::Image::chunk('IHDR',
        pack 'NNC5', $width, $height, 1, 0, 0, 0, 0) . substr $png, 33;
}

bomb('a PNG of 20,000 x 20,000',    header(20_000, 20_000));
bomb('a PNG of 1 x 100,000',        header(1, 100_000));
bomb('a PNG as large as it gets',   header(0x7fffffff, 0x7fffffff));
bomb('a PNG beyond that',           header(0xffffffff, 0xffffffff));

# 16 megapixels in 2688 scans, which are all that there can be

my $jpeg = Imagegram::Image::progressive_jpeg(4000, 4000, 3,
    Imagegram::Image::all_scans(3));

bomb('a JPEG with all scans', $jpeg,
    'declares more than can be decoded in bounded time and memory');

# an RLE BMP that says nothing of its pixels

sub rle {
    my ($width, $height) = @_;

    my $bmp = Imagegram::Image::bmp_header($width, $height, 8, 1078, 2)
        . "\0" x 1024 . "\0\1";

    substr $bmp, 30, 4, pack 'V', 1;

    return $bmp;
}

bomb('an RLE BMP of 263 million pixels', rle(16_000, 16_400));
bomb('a BMP as wide as it gets',         rle(0x7fffffff, 1));

for my $side ([7_000, 7_000], [12_000, 10_000]) {
    my $start = time;
    my $r = form('/', rle(@$side));

    like($r->{status}, qr/^(?:201|422)$/, "one of @$side: a clear answer");
    cmp_ok(time - $start, '<', 15, 'in bounded time');
}


is_deeply([$t->worker_pids], \@worker, 'the worker is the same as before');
is($t->get('posts')->{status}, 200, 'and serves');

done_testing();
