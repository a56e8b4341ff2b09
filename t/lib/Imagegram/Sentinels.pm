package Imagegram::Sentinels;

# Three sentinels, a master and two replicas on free ports of 127.0.0.1, real
# ones.  A server is an Imagegram without nginx, for its redis(), redis_pid(),
# start_redis() and stop_redis(); a sentinel just a process.
#
#   my $cluster = Imagegram::Sentinels->new;
#   my $conf = 'sentinel:photos ' . join ' ', $cluster->addresses;
#   my $old = $cluster->master;         # by what the sentinels say
#   suspend($old->redis_pid);
#   my $new = $cluster->failover($old); # waits until there is another one
#   $cluster->kill_sentinel(0);
#   $cluster->stop;
#
# Functions take a server: redis(), clients(), replicas().

use strict;
use warnings;

use Imagegram qw(spew wait_for);
use Imagegram::Process qw(spawn alive);
use Imagegram::Redis ();

use constant NAME => 'photos';

# options of a server besides what Imagegram gives it; min-replicas as
# docs/directives.md has it
use constant SERVER => '--min-replicas-to-write 1 --min-replicas-max-lag 10'
    . ' --repl-diskless-sync-delay 0 --shutdown-timeout 0';


sub new {
    my ($class) = @_;

    my $self = bless { owner => $$, servers => [], sentinels => [] }, $class;

    my $master = $self->server;

    $self->server('--replicaof 127.0.0.1', $master->port) for 1, 2;

    # a sentinel looks for replicas once in ten seconds
    wait_for(sub { replicas($master) == 2 }, 30)
        or die "no replicas\n";

    $self->sentinel($_, $master->port) for 0 .. 2;

    wait_for(sub { !grep { !$self->ready($_) } 0 .. 2 }, 30)
        or die "the sentinels do not find each other\n";

    return $self;
}


sub server {
    my ($self, @arguments) = @_;

    my $server = Imagegram->new;

    $server->{redis} = ['--port', $server->port, SERVER, @arguments];
    $server->start_redis;

    push @{ $self->{servers} }, $server;

    return $server;
}


sub sentinel {
    my ($self, $n, $master) = @_;

    my $home = $self->{servers}[$n];
    my ($dir, $port, $name) = ($home->dir, $home->port(2), NAME);

    spew("$dir/sentinel.conf", <<"END");
port $port
bind 127.0.0.1
unixsocket $dir/sentinel.sock
dir $dir
sentinel monitor $name 127.0.0.1 $master 2
sentinel down-after-milliseconds $name 500
sentinel failover-timeout $name 4000
sentinel parallel-syncs $name 2
END

    $self->{sentinels}[$n] = spawn(
        "redis-server $dir/sentinel.conf --sentinel", "$dir/logs/sentinel");
}


# Whether this sentinel knows the others and the replicas

sub ready {
    my ($self, $n) = @_;

    my $facts = eval { $self->ask($n, qw(SENTINEL MASTER), NAME) } or return 0;
    my %facts = @$facts;

    return $facts{'num-other-sentinels'} == 2 && $facts{'num-slaves'} == 2
        && eval { $self->ask($n, qw(SENTINEL CKQUORUM), NAME) };
}


sub ask {
    my ($self, $n, @command) = @_;

    return Imagegram::Redis->new($self->{servers}[$n]->dir . '/sentinel.sock')
        ->command(@command);
}


# On a connection of its own: sentinels close those of whom they promote or
# demote

sub redis {
    my ($server, @command) = @_;
    return Imagegram::Redis->new($server->redis_socket)->command(@command);
}


sub addresses { map { '127.0.0.1:' . $_->port(2) } @{ $_[0]{servers} } }
sub servers   { @{ $_[0]{servers} } }


# By what the first sentinel that lives says

sub master {
    my ($self) = @_;

    my ($n) = grep { alive($self->{sentinels}[$_]) } 0 .. 2;
    my $address = $self->ask($n, 'SENTINEL', 'get-master-addr-by-name', NAME);
    my ($master) = grep { $_->port == $address->[1] } $self->servers;

    return $master;
}


sub failover {
    my ($self, $old) = @_;

    wait_for(sub { $self->master != $old }, 60)
        or die "no failover:\n", $self->log, "\n";

    return $self->master;
}


sub kill_sentinel {
    my ($self, $n) = @_;

    my $pid = $self->{sentinels}[$n] or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    $self->{sentinels}[$n] = undef;
}


# Connections of others than sentinels, replicas and this process

sub clients {
    my ($server) = @_;

    return grep { !/ (?:flags=[SM]|name=sentinel|addr=\S+:0 )/ }
        split /\n/, redis($server, qw(CLIENT LIST));
}


sub replicas {
    my ($server) = @_;
    return scalar(() = redis($server, qw(INFO replication)) =~ /state=online/g);
}


sub log {
    my ($self) = @_;
    return Imagegram::slurp($self->{servers}[0]->dir . '/logs/sentinel');
}


# The sentinels first: the servers that are left would be masters in turn.

sub stop {
    my ($self) = @_;

    $self->kill_sentinel($_) for 0 .. 2;
    $_->stop_redis('KILL') for $self->servers;
}

sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local $?;
    $self->kill_sentinel($_) for 0 .. 2;
}


1;
