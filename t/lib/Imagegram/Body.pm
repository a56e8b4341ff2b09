package Imagegram::Body;

# Request bodies: strings, or subs that give one piece after the other, so that
# 100 MB are sent without being held.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 ();

use constant CHUNK => 196_608;      # a multiple of 3, for base64


# What gives the pieces of a body, and its length if that is known. A body is a
# string, { file => path }, or a sub that gives pieces, then undef.

sub source {
    my ($body) = @_;

    return unless defined $body;
    return ($body, undef) if ref $body eq 'CODE';

    if (ref $body eq 'HASH') {
        open my $file, '<:raw', $body->{file} or die "$body->{file}: $!\n";

            return (pieces($file, CHUNK), -s $file);
    }

    my @once = ($body);

    return (sub { shift @once }, length $body);
}


sub chunks {
    my ($source) = @_;

    my $ended;

    return sub {
        return if $ended;

        my $piece = $source->();

        $ended = !defined $piece;
        return "0\r\n\r\n" if $ended;
        return length $piece
            ? sprintf("%x\r\n%s\r\n", length $piece, $piece) : '';
    };
}


# multipart/form-data of name, value, ...: the content type and the body. A
# value is a string, [ file name, type, content ], or { file => path }; with
# one of the last kind the body is a sub, and its length comes third.

sub multipart {
    my (@fields) = @_;

    my $boundary = sprintf 'imagegram%08x%08x', rand 2**32, rand 2**32;
    my @parts;

    while (my ($name, $value) = splice @fields, 0, 2) {
        my $head = "--$boundary\r\n"
            . "Content-Disposition: form-data; name=\"$name\"";

        if (ref $value eq 'ARRAY') {
            $head .= "; filename=\"$value->[0]\"\r\nContent-Type: $value->[1]";
            $value = $value->[2];

        } elsif ($name eq 'image') {
            $head .= "; filename=\"photo\""
                . "\r\nContent-Type: application/octet-stream";
        }

        push @parts, "$head\r\n\r\n", $value, "\r\n";
    }

    push @parts, "--$boundary--\r\n";

    return ("multipart/form-data; boundary=$boundary", joined(@parts));
}


# A JSON body with members as given; { file => path } becomes base64.

sub json_body {
    my (@members) = @_;

    my $json = JSON::PP->new->utf8->allow_nonref;
    my @parts;

    while (my ($name, $value) = splice @members, 0, 2) {
        push @parts, (@parts ? ',' : '{') . $json->encode($name) . ':';

        if (ref $value eq 'HASH') {
            push @parts, '"', { file => $value->{file}, base64 => 1 }, '"';
        } else {
            push @parts, $json->encode($value);
        }
    }

    return ('application/json', joined(@parts, '}'));
}


# Strings and files put together: a string, or where there are files a sub
# and the length.

sub joined {
    my (@parts) = @_;

    return join '', @parts unless grep { ref } @parts;

    my $length = 0;

    for my $part (@parts) {
        my $size = ref $part ? -s $part->{file} : length $part;

        $size = int(($size + 2) / 3) * 4 if ref $part && $part->{base64};
        $length += $size;
    }

    my $source;

    return (sub {
        while (1) {
            if (!$source) {
                return unless @parts;

                my $part = shift @parts;

                ($source) = source($part);
                $source = encoded($part) if ref $part && $part->{base64};
            }

            my $piece = $source->();

            return $piece if defined $piece;
            $source = undef;
        }
    }, $length);
}


sub encoded {
    my ($part) = @_;

    open my $file, '<:raw', $part->{file} or die "$part->{file}: $!\n";

    my $pieces = pieces($file);

    return sub {
        my $piece = $pieces->();

        return defined $piece
            ? MIME::Base64::encode_base64($piece, '') : undef;
    };
}


sub pieces {
    my ($file) = @_;

    return sub {
        my $n = read $file, my $piece, CHUNK;
        return $n ? $piece : undef;
    };
}


1;
