package Imagegram::Crash;

# Rounds of a change (Imagegram::Changes), in the midst of which somebody is
# killed:
#
#   my $crash = Imagegram::Crash->new or plan skip_all => ...;
#   my $round = $crash->round('form', worker => 17);
#   # { at, became, faults }
#
# Whoever is the victim is killed before the 17th thing that any of them does
# that others could see, or once all was done.  Then all go on, who is dead is
# started again, the client does what clients do, the sweeper runs, and Redis
# and the files are looked at.

use strict;
use warnings;

use Time::HiRes ();

use Imagegram ();
use Imagegram::Changes qw(%changes);
use Imagegram::HTTP ();
use Imagegram::Image ();
use Imagegram::Process qw(alive children cmdline lock_file slurp wait_for);
use Imagegram::Steps ();
use Imagegram::Storage qw(age complete_uploads shard swept_twice);

use constant {
    HANGS       => 60,      # seconds
    HANGS_AGAIN => 3,       # where what is dead may be missed
    QUIET       => 0.03,    # without a step: it has come to its end
    QUIET_AGAIN => 0.3,     # where somebody is to start again
    BEATS       => 0.1,     # the cache's own connections are heard in it
    BEAT        => 12,      # a connection that is written to as often is one
    AGAIN       => 1.2,     # all of several workers have Redis again
};

# what may be in a storage once the sweeper has run
my $belongs = qr{^\./(?:id|sweep\.lock|trash/.*
    |(?:images|originals)/../../([0-9a-f-]{36})\.(?:jpg|png))\z}x;

our @victims = qw(worker master parent child redis);


# Options as of Imagegram->new.  undef where nobody may be traced

sub new {
    my ($class, %options) = @_;

    my $t = Imagegram->new(redis => ['--appendfsync always'], %options,
        settings => { cache => undef, sweep => '50ms',
            %{ $options{settings} // {} } });
    my $steps = Imagegram::Steps->new($t) or return;
    my $self = bless {
        t      => $t,
        steps  => $steps,
        known  => {},       # PostID => CommentCount
        rounds => 0,
    }, $class;

    # of who was killed, and of who misses them
    $t->expect_log(qr/(?:worker|unknown) process \d+ exited on signal 9/,
        qr{connect\(\) to unix:.*/redis\.sock failed},
        qr{cannot check what user "\S+" may do});
    $t->start;
    wait_for(sub { !-e $t->storage . '/new' }, 30)
        or die "Redis is not told of the storage\n";
    $self->ready;
    $self->lock;

    return $self;
}


# Without a victim: nobody is killed, and "steps" are all that were made, each
# with "child" where there was one.  A second victim may follow, so many steps
# later, while others go on or start again.

sub round {
    my ($self, $change, @kills) = @_;

    my $tag = sprintf '%s-%d-%08x', $change =~ tr{ }{-}r, ++$self->{rounds},
        rand 2**32;
    my $image = Imagegram::Image::png(8 + $self->{rounds} % 7, 8);

    $self = bless { %$self{qw(t steps known lock)}, change => $change,
        do => $changes{$change}, tag => $tag, image => $image, passed => [],
        beats => {}, workers => [], at => [], faults => [] }, ref $self;

    eval {
        ($self->{do}{stage} // sub { })->($self);
        $self->{beats} = $self->beats if $self->{t}{settings}{cache};
        $self->drive(@kills);
        $self->recover;
        $self->{became} = $self->{do}{settle}->($self);
        $self->sweep;
        $self->check;
        1;
    } or $self->fault("cannot go on: $@");

    $self->{steps}->pass;

    return { steps => $self->{passed}, at => $self->{at},
        became => $self->{became} // 'unknown', faults => $self->{faults} };
}


sub fault {
    my ($self, $text) = @_;
    push @{ $self->{faults} }, $text;
}


# --- the change, and the kill

sub drive {
    my ($self, @kills) = @_;

    my $steps = $self->{steps};
    my $looks = !@kills;
    my $quiet = @kills > 2 ? QUIET_AGAIN : QUIET;

    $steps->ask;

    my $c = $self->{connection} = $self->{do}{act}->($self);
    my $since = Time::HiRes::time();
    my ($n, $hangs) = (0, HANGS);
    my %times;

    while ($looks || @kills) {
        Imagegram::HTTP::step([$c], 0) if $c && !$c->{closed};

        my $step = $steps->next(0.005);
        my $idle = Time::HiRes::time() - $since;

        if (!$step) {
            last if $idle > $quiet && $self->done($c) || $idle > $hangs;
            next;
        }

        my $beat = $self->{beats}{ $step->{detail} }
            || $step->{detail} =~ /^socket/
            && ++$times{ $step->{detail} } > BEAT;

        if (counts($step) && !$beat) {
            $since = Time::HiRes::time();

            my $text = "$step->{role} $step->{name} " . short($step->{detail});

            push @{ $self->{passed} }, { text => $text,
                child => $looks && $self->{t}->conversion_pids > 0 };

            if (@kills && ++$n == $kills[1]) {
                push @{ $self->{at} }, $text;
                $self->slay($kills[0], $step);
                splice @kills, 0, 2;
                ($n, $hangs) = (0, HANGS_AGAIN);
            }
        }

        $steps->go($step);
    }

    while (my ($victim) = splice @kills, 0, 2) {
        push @{ $self->{at} }, 'behind the last one';
        $self->slay($victim);
    }

    $steps->pass;
}


# Where nobody asks for anything, what is written to is none of a change's: the
# cache hears all the time whether Redis is there.

sub beats {
    my ($self) = @_;

    my $steps = $self->{steps};
    my $end = Time::HiRes::time() + BEATS;
    my %beats;

    $steps->ask;

    while (Time::HiRes::time() < $end) {
        my $step = $steps->next(0.005) or next;

        $beats{ $step->{detail} } = 1;
        $steps->go($step);
    }

    $steps->pass;

    return \%beats;
}


sub done {
    my ($self, $c) = @_;

    return $c->{closed} || @{ $c->{responses} } if $c;
    return $self->{do}{done}->($self);
}


# Not what only tells another thread, or what is said in a log

sub counts {
    my ($step) = @_;

    return $step->{detail} !~ m{eventfd|/logs/|sweep\.lock$|nginx\.pid$};
}


# A file's name without what is of this round only

sub short {
    my ($detail) = @_;

    $detail =~ s{^.*/(?:storage|redis)/}{};
    $detail =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/ID/;
    $detail =~ s{/[0-9a-f]{2}\b}{/xx}g;

    return $detail =~ s/:\[\d+\]//r;
}


# SIGKILL, and it is dead.  There may be none: a child that is done.  Of several
# workers it is the one that is about to make the step, if it is one's.

sub slay {
    my ($self, $victim, $step) = @_;

    my $t = $self->{t};
    my @workers = @{ $self->{workers} }
        = grep { alive($_) } children($t->nginx_pid), @{ $self->{workers} };
    my @parents = grep { cmdline($_) =~ /imagegram-convert/ }
        map { children($_) } @workers;
    my @pids = $victim eq 'worker' ? $step && $step->{role} eq 'worker'
            ? $step->{pid} : @workers
        : $victim eq 'master' ? $t->nginx_pid
        : $victim eq 'parent' ? @parents
        : $victim eq 'child' ? map { children($_) } @parents : $t->redis_pid;

    kill 'KILL', @pids;
    $self->gone($victim, @pids);
}

sub gone {
    my ($self, $what, @pids) = @_;

    for my $pid (@pids) {
        wait_for(sub { !alive($pid) }, 30) or die "$what $pid lives on\n";
    }
}


# --- afterwards

# What an admin's system does: it starts again what is dead, once the workers of
# a dead master are gone.

sub recover {
    my ($self) = @_;

    my ($t, $c) = @$self{qw(t connection)};

    if ($c) {
        Imagegram::HTTP::run([$c], HANGS);
        $self->{answer} = $c->{closed} || @{ $c->{responses} }
            ? $c->response : die "no answer\n";
    }

    if (!alive($t->nginx_pid)) {
        my @pids = @{ $self->{workers} };
        my @converters = map { children($_) } @pids;

        kill 'KILL', @pids;
        $self->gone('a process without a master', @pids, @converters);
        delete $t->{nginx};
        $t->start_nginx;
    }

    if (!alive($t->redis_pid)) {
        delete $t->{redis_pid};
        $t->start_redis;
        Time::HiRes::sleep(AGAIN) if $t->{workers} > 1;
    }

    $self->ready;
}


# Whoever was to be started again is there; so is an nginx that gave up, since
# the process was killed that looks what its workers may do.

sub ready {
    my ($self) = @_;

    my $t = $self->{t};

    wait_for(sub {
        if (!alive($t->nginx_pid)) {
            delete $t->{nginx};
            $t->start_nginx;
        }

        return $t->worker_pids && $t->converter_pids
            && eval { $t->get('posts?limit=1')->{status} == 200 };
    }, 60) or die "it does not serve again:\n", $t->log(20);
    wait_for(sub { !$t->conversion_pids }, 60)
        or die "conversions do not end\n";
}


sub posts { @{ ($_[0]{t}->walk('posts?limit=100'))[0] } }


# A post that is to be there from now on, with all that it had

sub learn {
    my ($self, @posts) = @_;

    for my $post (@posts) {
        my $id = $post->{PostID};
        my $image = $self->{t}->get($post->{Image});

        $self->{known}{$id} = $post->{CommentCount};
        $self->fault("post $id has no image") unless $image->{status} == 200
            && $image->{body} =~ /^\xff\xd8.*\xff\xd9\z/s;
        $self->fault("post $id has another original")
            if slurp(join '/', $self->{t}->storage,
                shard('originals', $id, 'png')) ne $self->{image};
    }
}


# --- the sweeper rests while a change is made, since its steps are not the
# change's: somebody else seems to sweep

sub lock {
    my ($self) = @_;

    wait_for(sub { $self->locks }, 60) or die "a sweep does not end\n";
}

sub locks {
    my ($self) = @_;

    $self->unlock;

    $self->{lock}{file} = lock_file($self->{t}->storage . '/sweep.lock');

    return defined $self->{lock}{file};
}

sub unlock { delete $_[0]{lock}{file} }


# As if two days were over

sub sweep {
    my ($self) = @_;

    my $t = $self->{t};

    $self->owes_nothing;
    age($t, 2, $t->files);
    $self->unlock;
    swept_twice($t);
    $self->lock;
}


# Of all uploads of which it has all bytes the server has made posts.

sub owes_nothing {
    my ($self) = @_;

    wait_for(sub { !complete_uploads($self->{t}) }, 60)
        or $self->fault('an upload with all of its bytes becomes no post');
}


# --- what must be

sub check {
    my ($self) = @_;

    my ($t, $known) = @$self{qw(t known)};
    my %posts = map { $_->{PostID} => $_->{CommentCount} } $self->posts;

    for my $id (sort keys %$known) {
        $self->fault("post $id is gone") if !exists $posts{$id};
        $self->fault("post $id has $posts{$id} of $known->{$id} comments")
            if exists $posts{$id} && $posts{$id} != $known->{$id};
    }

    $self->fault("nobody made post $_")
        for grep { !exists $known->{$_} } sort keys %posts;
    $self->fault("left: $_")
        for grep { !/$belongs/ || $1 && !exists $known->{$1} } $t->files('.');

    my $command = join ' ', $t->top . '/script/check-storage', '--redis',
        'unix:' . $t->redis_socket, $t->storage;
    my $said = `$command 2>&1`;

    $self->fault("check-storage: $said")
        if $? != 0 || $said =~ /without a post yet/;
}


1;
