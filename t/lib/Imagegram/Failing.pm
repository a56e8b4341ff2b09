package Imagegram::Failing;

# Calls of the module and of imagegram-convert that fail, one after the other,
# see faults.c.
#
#   my $failing = Imagegram::Failing->new;
#   my $t = Imagegram->new(preload => $failing->library);
#   while (my ($call, $result) = $failing->next('m', sub { ... })) {
#       # a call of the module failed meanwhile: which, and what the sub gave
#   }
#
# "m" is the module, "c" imagegram-convert.  Ends when nothing has failed: all
# that is called has then.  Options:
#
#   times   so many calls from the same place fail, one a turn: 1

use strict;
use warnings;

use File::Temp qw(tempdir);

use Imagegram ();
use Imagegram::Process qw(slurp spew);

# control_t in faults.c, in bytes
use constant {
    PLACES   => 12,
    FAILURES => 20,
    LAST     => 24,
    HEAD     => 32,
    PLACE    => 64,
    MAX      => 4096,
};


sub new {
    my ($class, %options) = @_;

    my $folder = tempdir(CLEANUP => 1);
    my $self = bless {
        times   => 1,
        %options,
        control => "$folder/control",
        library => "$folder/faults.so",
        turn    => 0,
        known   => 0,
        seen    => {},
    }, $class;

    chmod 0755, $folder;
    spew($self->{control}, "\0" x (HEAD + MAX * PLACE));
    chmod 0666, $self->{control};
    Imagegram->compile('faults.c', $self->{library},
        qw(-shared -fPIC -O2 -fno-builtin), qq(-DCONTROL="$self->{control}"));

    return $self;
}


sub library { $_[0]{library} }


sub next {
    my ($self, $who, $act) = @_;

    $self->set(0, ord $who, ++$self->{turn}, $self->{times});

    my $result = $act->();

    $self->set(0, 0);

    return unless $self->happened;

    $self->{known} = $self->number(FAILURES);

    my ($id, $offset, $name) = unpack 'Q Q x12 Z*', substr
        slurp($self->{control}), HEAD + PLACE * $self->number(LAST), PLACE;

    $self->{seen}{$who}{$offset}++;

    return ({ who => $who, offset => $offset, name => $name }, $result);
}


# Whether a call has failed in this turn

sub happened { $_[0]->number(FAILURES) > $_[0]{known} }


# All may fail once more.

sub forget { $_[0]->set(PLACES, 0) }


# From how many places a call has failed

sub places { scalar keys %{ $_[0]{seen}{ $_[1] } } }


# "open() ngx_http_imagegram_storage.c:80"

sub where {
    my ($self, $call) = @_;

    my $build = $ENV{IMAGEGRAM_BUILD} // Imagegram->top . '/build';
    my $file = $call->{who} eq 'm' ? 'ngx_http_imagegram_module.so'
        : 'imagegram-convert';
    my $address = sprintf '%x', $call->{offset} - 1;
    my $line = `addr2line -e '$build/$file' $address 2>/dev/null`;

    return "$call->{name}() " . ($line =~ s{.*/|\s+}{}gr || $address);
}


sub number { unpack 'I', substr slurp($_[0]{control}), $_[1], 4 }

sub set {
    my ($self, $offset, @numbers) = @_;

    open my $file, '+<:raw', $self->{control} or die "$self->{control}: $!\n";
    sysseek $file, $offset, 0;
    syswrite $file, pack 'I*', @numbers;
}


1;
