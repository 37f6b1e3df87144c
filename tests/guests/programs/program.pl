# Hashes, regular expressions, big integers, pack, sorting, formats and processes of Perl.
use strict;
use warnings;
use Math::BigInt;
use Digest::SHA qw(sha256_hex);
use List::Util qw(sum reduce);

my %count;
my $state = 1;
for (1 .. 20000) {
  $state = ($state * 1103515245 + 12345) & 0x7fffffff;
  $count{ sprintf '%02d', $state / 65536 % 100 }++;
}
print join(' ', map { "$_=$count{$_}" } (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 4]), "\n";

my $text = join ' ', map { "word$_" x ($_ % 3 + 1) } 1 .. 500;
my @found = $text =~ /\b((?:word\d*7){2,})\b/g;
print scalar(@found), " $found[0] $found[-1]\n";
(my $swapped = $text) =~ s/word(\d)(\d*)/$2 . $1/ge;
print sha256_hex($swapped), "\n";

print Math::BigInt->new(3)->bpow(200), ' ', Math::BigInt->new(60)->bfac(), "\n";
print unpack('H*', pack 'nNvVwCq>f<d>', 1, 2, 3, 4, 300, 5, -6, 0.5, -1.25), "\n";
printf "%.10f %.10e %g %s\n", atan2(1, 1) * 4, exp 1, 1e21, 0.1 + 0.2;
print sum(map { $_ ** 0.5 } 1 .. 100) > 671.4 ? "above\n" : "below\n";
my $folded = reduce { ($a * 31 + $b) % 1000003 } 1 .. 5000;
print "$folded\n";

my @pids = map { my $n = $_; fork // die $! or exit $n } 1 .. 5;
print join(' ', map { waitpid $_, 0; $? >> 8 } @pids), "\n";
print eval { die { code => 42 } } // $@->{code}, "\n";
