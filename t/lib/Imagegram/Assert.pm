package Imagegram::Assert;

# What several test files say of answers.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

our @EXPORT = qw(is_problem is_field_problem);


# A problem document of this status, and of no more members than it may have;
# says nothing of what is behind the API.

sub is_problem {
    my ($r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @faults;
    my $problem = $r->{json};
    my $type = $r->{headers}{'content-type'} // 'none';
    my $length = $r->{headers}{'content-length'};

    push @faults, "status $r->{status}" if $r->{status} != $status;
    push @faults, "content type $type"
        if $type ne 'application/problem+json';
    push @faults, "content length $length of " . length $r->{body}
        if defined $length && $length != length $r->{body};

    if (ref $problem eq 'HASH') {
        my %members = %$problem;

        push @faults, 'type'
            if (delete $members{type} // '') ne 'about:blank';
        push @faults, 'status' if (delete $members{status} // 0) != $status;
        push @faults, 'title' unless length(delete $members{title} // '');
        push @faults, 'detail' unless length(delete $members{detail} // '');
        push @faults, 'errors' if ref(delete $members{errors} // []) ne 'ARRAY';
        push @faults, "more: @{[ sort keys %members ]}" if %members;

    } else {
        push @faults, 'no JSON object';
    }

    push @faults, 'tells too much'
        if $r->{body} =~ m{redis|nginx|/tmp|\.c\b|lua}i;

    return Test::More::ok(!@faults, $name)
        || Test::More::diag(join(', ', @faults), "\n", $r->{head} // '',
            "\n", substr $r->{body}, 0, 500);
}


# 422 because of exactly these fields

sub is_field_problem {
    my ($r, $fields, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $errors = (ref $r->{json} eq 'HASH' && $r->{json}{errors}) || [];
    my $named = join ' ', map { $_->{field} // '?' } @$errors;

    if ($named ne $fields || grep { !length $_->{detail} } @$errors) {
        Test::More::fail($name);
        return Test::More::diag("wanted: $fields, $r->{status} $r->{body}");
    }

    return is_problem($r, 422, $name);
}


1;
