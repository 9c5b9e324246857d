import { FORMS } from './math-forms.ts';

/** Pairs of answers judged by hand, a line each: `given ≡ right` are the same answer, `given ≢ right` are not. */
const TABLE = String.raw`
# fractions
\frac12 ≡ \frac{1}{2}
\dfrac{3}{4} ≡ \tfrac34
3/4 ≡ \frac{3}{4}
\frac{2}{4} ≡ \frac{1}{2}
-\frac{3}{8} ≡ \frac{-3}{8}
\frac{3}{-8} ≡ -\frac38
\frac{-3}{-8} ≡ \frac{3}{8}
\frac{270}7 ≡ 270/7
\frac 59 ≡ \frac{5}{9}
\frac{1}{2} ≢ \frac{1}{3}
1/2 ≢ 1/3
\frac{3}{4} ≢ \frac{4}{3}
-\frac{3}{8} ≢ \frac{3}{8}
\frac{12}{5} ≢ \frac{1}{25}
\frac{17}{50} ≢ \frac{17}{500}
\frac{a}{b} ≡ a/b
\frac{a}{b} ≢ \frac{b}{a}
\frac{11+9a}{20} ≡ \frac{9a}{20}+\frac{11}{20}
\frac{11+9a}{20} ≢ \frac{9a}{20}+11

# roots
\sqrt3 ≡ \sqrt{3}
11\sqrt2 ≡ 11\sqrt{2}
\sqrt{12} ≡ 2\sqrt{3}
\frac{1}{\sqrt{3}} ≡ \frac{\sqrt{3}}{3}
\sqrt[3]{8} ≡ 2
\sqrt[3]{-8} ≡ -2
\sqrt{16} ≡ 4
\sqrt{3+2\sqrt{2}} ≡ 1+\sqrt{2}
\sqrt{2}\cdot\sqrt{3} ≡ \sqrt6
2^{1/2} ≡ \sqrt{2}
\sqrt{2} ≢ 1.414
\sqrt{2} ≢ 2
\sqrt{2}+\sqrt{3} ≢ \sqrt{5}
\sqrt{51} ≢ \sqrt{15}
3\sqrt{13} ≢ 13\sqrt{3}
\sqrt[3]{5} ≢ \sqrt{5}
\sqrt{x^2} ≢ x
11\sqrt{5}+11 ≡ 11(1+\sqrt{5})

# decimals
.5 ≡ 0.5
0.50 ≡ 0.5
0.5 ≡ \frac{1}{2}
-.25 ≡ -\frac14
0.\overline{3} ≡ \frac{1}{3}
0.1\overline{6} ≡ \frac16
5.0 ≡ 5
3.21 ≡ 3.210
.0000672 ≡ 6.72 \times 10^{-5}
0.1 ≢ 1
0.333 ≢ \frac{1}{3}
0.33 ≢ \frac{1}{3}
0.3333333333333333 ≢ \frac{1}{3}
0.15 ≢ 0.015
1.25 ≢ 125
4.5 ≢ 4.05
0.66667 ≢ \frac{2}{3}
0.0000000000001 ≢ 0

# intervals
[0,1) ≡ \left[0, 1\right)
(-\infty, 0] ≡ (-\infty,0]
x \in [-2,7] ≡ [-2,7]
(\frac12, 3] ≡ (0.5, 3]
[0,1) ≢ [0,1]
(3,4] ≢ (3,4)
(2,\infty) ≢ [2,\infty)
(2,\infty) ≢ (-\infty,2)
(3,4] ≢ [3,4)
[0,1] ≢ [0,2]

# tuples
(1,2) ≡ \left( 1, 2 \right)
(3, \frac{\pi}{2}) ≡ \left(3,\frac{1}{2}\pi\right)
(-2,1) ≡ (-2, \frac{2}{2})
(6,31,-1) ≡ (6, 31, -1)
(1,2) ≢ (2,1)
(1,2) ≢ (1,2,3)
(1,2) ≢ 12
(1,2) ≢ 1,2
(15,-29) ≢ (15,29)
(1,-16,-4,43) ≢ (1,-16,4,43)
(10,000) ≢ 10000
(1,234) ≢ 1234

# sets and lists
\{1,2,3\} ≡ \{3, 1, 2\}
\{1\pm\sqrt{5},-2\} ≡ \{-2, 1-\sqrt5, 1+\sqrt5\}
1,-2 ≡ -2, 1
3, 5, 7 ≡ 7,5,3
3 \text{ and } 5 ≡ 3, 5
\text{5 or 3} ≡ 3,5
x=1 \text{ or } x=-2 ≡ 1,-2
1, 0.5 ≡ \frac12,1
\{1,2\} ≡ 1,2
\emptyset ≡ \{\}
1,2 ≢ 12
1, 2 ≢ 1, 3
3, 5, 7 ≢ 3, 5
\{1,2\} ≢ \{1,2,2\}
\{1,2\} ≢ (1,2)
\{1,2\} ≢ [1,2]
1,1 ≢ 1
x=1, y=2 ≢ x=2, y=1
100, 200 ≢ 100200

# units
10\text{ thousand} ≢ 10
5\text{ million} ≢ 5
12\text{ or more} ≢ 12
5\text{ below zero} ≢ 5
7\text{ (not an integer)} ≢ 7
5 \text{ cm} ≡ 5
864 \mbox{ inches}^2 ≡ 864
15\mbox{ cm}^2 ≡ 15 \text{ square centimeters}
12 square units ≡ 12
5.4 \text{ cents} ≡ 5.4
30 mph ≡ 30
60 miles per hour ≡ 60
7\mathrm{~m} ≡ 7
9.8 \text{ m/s}^2 ≡ 9.8
x=3\text{ feet} ≡ 3
3\sqrt{2} \text{ inches} ≡ 3\sqrt2
5 \text{ cm} ≢ 6 \text{ cm}
15 \text{ cm}^2 ≢ 152
12 units ≢ 120
5m ≢ 5
3 \text{ a.m.} ≢ 3 \text{ p.m.}
5 \text{ cm} ≢ \text{cm}

# percent
50\% ≡ 50
12.5\% ≡ 12.5%
25\text{ percent} ≡ 25\%
50\% ≢ 0.5
50\% ≢ 5\%
7\% ≢ 70

# degrees
90^\circ ≡ 90
90^{\circ} ≡ 90°
\frac{270}{7}\text{ degrees} ≡ \frac{270}{7}^\circ
30 degrees ≡ 30^\circ
\theta = 30^\circ ≡ 30
90^\circ ≢ 9
145^\circ ≢ 35^\circ
90^\circ ≢ \frac{\pi}{2}

# money
\$18.90 ≡ 18.90
\$18.9 ≡ $18.90
\$32,\!348 ≡ 32348
36\text{ dollars} ≡ \$36
\$18.90 ≢ 1890
\$36 ≢ \$3.6
\$1,050 ≢ \$1,005

# thousands
10,000 ≡ 10000
10{,}000 ≡ 10,\!000
11,\! 111,\! 111,\! 100 ≡ 11111111100
58 500 ≡ 58,500
1,234.5 ≡ 1234.5
10,000 ≢ 10
10,000 ≢ 10,0000
1,000,000 ≢ 1,000
58,500 ≢ 58.500

# π
\pi ≡ π
288 \pi ≡ 288\pi
18+2\pi ≡ 2(\pi+9)
\frac{\pi}{6} ≡ \frac{1}{6}\pi
\frac{20000}{\pi} ≡ 20000\pi^{-1}
\pi r^2 ≡ r^2\pi
3.14 ≢ \pi
3.14159265 ≢ \pi
\frac{22}{7} ≢ \pi
2\pi ≢ \pi^2
12\pi ≢ 12
-\frac{\pi}{6} ≢ \frac{\pi}{6}

# matrices
\begin{pmatrix} 1 \\ 2 \end{pmatrix} ≡ \begin{bmatrix}1\\2\end{bmatrix}
\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix} ≡ \begin{pmatrix} -\frac13 \\ \frac23 \\ \frac53 \end{pmatrix}
\left[\begin{array}{cc} 1 & 0 \\ 0 & 1 \end{array}\right] ≡ \begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}
\begin{pmatrix} 0.2 \\ -3.6 \end{pmatrix} ≡ \begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}
\begin{pmatrix} a \\ 2b \end{pmatrix} ≡ \begin{pmatrix} a \\ b+b \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} ≢ \begin{pmatrix} 2 \\ 1 \end{pmatrix}
\begin{pmatrix} 1 & 2 \end{pmatrix} ≢ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix} ≢ \begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} ≢ \begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}
\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix} ≢ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \end{pmatrix} ≢ 12

# text answers
CAB ≢ ABC
AB ≢ BA
BAC ≡ \text{BAC}
\text{east} ≡ east
\text{Tuesday} ≡ tuesday
\textbf{Evelyn} ≡ \text{Evelyn}
\mathrm{even} ≡ \text{even}
\text{ellipse.} ≡ \text{Ellipse}
\text{No} ≡ no
\text{Monday and Friday} ≡ \text{Friday, Monday}
\text{east} ≢ \text{seat}
\text{east} ≢ \text{west}
yes ≢ no
\text{no} ≢ \text{on}
\text{odd} ≢ \text{even}
\text{Evelyn} ≢ \text{Evelyn and Navin}
\text{Tuesday} ≢ 2

# choice letters
\text{(A)} ≡ A
(C) ≡ \text{C}
\textbf{(B)} ≡ \text{(B)}
\text{(c)} ≡ \text{(C)}
\mathrm{(E)} ≡ E
\text{(A)} ≢ \text{(B)}
A ≢ B
\text{(C)} ≢ 3
\text{A, C} ≢ A

# mixed numbers
1\frac{4}{5} ≡ \frac{9}{5}
1 1/2 ≡ \frac32
137 \frac{1}{2} ≡ 137.5
-1\frac{1}{2} ≡ -1.5
1\frac{1}{2} ≢ \frac{1}{2}
1\frac{4}{5} ≢ \frac{4}{5}
1\frac{4}{5} ≢ \frac{14}{5}

# bases
52_8 ≡ 52_{8}
4210_{5} ≡ 4210_5
101_{10} ≡ 101_10
(123)_8 ≡ 123_8
52_8 ≢ 52_9
52_8 ≢ 52
52_8 ≢ 42
204_5 ≢ 205_5

# left sides and equations
x=5 ≡ 5
k = \frac12 ≡ 0.5
x_1=3 ≡ 3
f(x)=2x+1 ≡ 2x+1
y = 2x + 3 ≡ 2x+3
y=2x+3 ≡ 2x+3=y
y=2x+3 ≡ y-2x=3
y=2x+3 ≡ y=3+2x
5x - 7y + 11z + 4 = 0 ≡ 5x-7y+11z=-4
x+y=1 ≡ 1 = y+x
x^2+y^2=4 ≡ y^2+x^2=4
x=5 ≢ y=5
x=5 ≢ x=-5
y=2x+3 ≢ y=2x-3
y=2x+3 ≢ y=3x+2
y=-2x ≢ y=2x
x+y=1 ≢ x-y=1
5x-7y+11z+4=0 ≢ 5x-7y+11z-4=0
x=1 ≢ x \ne 1

# inequalities
x<3 ≡ 3>x
1 \le x \leq 2 ≡ 1\le x\le 2
x \geq \frac12 ≡ x \ge 0.5
x<3 ≢ x>3
x<3 ≢ x\le 3
1<x<2 ≢ 2<x<1

# polynomials
(x+1)^2 ≡ x^2+2x+1
x^2-1 ≡ (x-1)(x+1)
(a+5)(b+2) ≡ (b+2)(a+5)
(a+5)(b+2) ≡ ab+2a+5b+10
6r^2-4r-24 ≡ 2(3r^2-2r-12)
p - q ≡ -q+p
2k+2 ≡ 2(k+1)
x^{2} ≡ x^2
x y ≡ yx
8n^2 + 4n + 1 ≡ 1+4n(2n+1)
\frac{x^2-1}{x-1} ≡ x+1
x_1+x_2 ≡ x_2 + x_1
x+1 ≢ x-1
p-q ≢ q-p
x^2+1 ≢ (x+1)^2
2x ≢ x^2
x^3+3x-6 ≢ x^3-3x-6
2k ≢ 2n
5r^5 ≢ 5r^4
x_1 ≢ x_2
x^5-x^4+x^3-x^2+x-1 ≢ x^5+x^4+x^3+x^2+x+1
3R^2 ≢ 3r^2
\sqrt{x}\sqrt{y} ≡ \sqrt{xy}

# trigonometry
\cot x ≡ \frac{\cos x}{\sin x}
\sin^2 x + \cos^2 x ≡ 1
\sin(2x) ≡ 2\sin x\cos x
\sin 30^\circ ≡ \frac12
\cos\frac{\pi}{3} ≡ 0.5
\tan^{-1} 1 ≡ \frac{\pi}{4}
\arctan x ≡ \tan^{-1}(x)
\cot x ≢ \tan x
\sin x ≢ \cos x
\sin x^2 ≢ \sin^2 x
\sin 30 ≢ \frac12
\sin\frac{\pi}{4} ≢ \frac12

# logarithms
\log_2 8 ≡ 3
\ln e^2 ≡ 2
\ln 8 ≡ 3\ln 2
\log_{10} 100 ≡ 2
\log_2 3 ≡ \frac{\ln 3}{\ln 2}
\log_2 8 ≢ 4
\ln 6 ≢ \ln 2 + \ln 4
\log_2 3 ≢ \log_3 2
\ln 2 ≢ 0.693

# exponents
2^{10} ≡ 1024
2^10 ≡ 1024
x^{-1} ≡ \frac1x
e^{2x} ≡ (e^x)^2
3e+1 ≡ 1+3e
2^{x+1} ≡ 2\cdot 2^x
10^{-5} ≡ 0.00001
8^{2/3} ≡ 4
1.1\times 10^3 ≡ 1100
2^{10} ≢ 20
2^{10} ≢ 2^{11}
e^{2x} ≢ e^{x^2}
2e^5 ≢ 200000
-2^2 ≢ 4
x^{12} ≢ x^1 \cdot 2

# factorials and binomials
5! ≡ 120
\binom{5}{2} ≡ 10
\dbinom{10}{3} ≡ 120
\frac{(n+1)!}{n!} ≡ n+1
5! ≢ 5
\binom{5}{2} ≢ \frac{5}{2}
n! ≢ n

# complex numbers
6 - 5i ≡ -5i+6
(1+i)^2 ≡ 2i
\sqrt{-4} ≡ 2i
3+4\mathrm{i} ≡ 3+4i
e^{i\pi} ≡ -1
\frac{1}{i} ≡ -i
\frac{1+i}{2} ≡ \frac12+\frac12 i
6-5i ≢ 6+5i
6-5i ≢ 5-6i
1+2i ≢ 3
i ≢ 1
|3+4i| ≡ 5

# plus or minus
1 \pm \sqrt{19} ≡ 1+\sqrt{19}, 1-\sqrt{19}
3 \pm 2\sqrt2 ≡ 3-2\sqrt{2}, 3+2\sqrt{2}
\pm 3 ≡ 3, -3
x=\pm 3 ≡ \pm3
3 \pm 2\sqrt{2} ≡ 3 \mp \sqrt{8}
\pm 3 ≢ 3
1 \pm \sqrt{19} ≢ 1+\sqrt{19}
1 \pm \sqrt{19} ≢ -1 \pm \sqrt{19}
3 \pm 2\sqrt2 ≢ 2 \pm 3\sqrt2

# infinity
\infty ≡ +\infty
-\infty ≡ −∞
\infty ≢ -\infty
\infty ≢ 0
\infty ≢ 1000000000

# unions
(-\infty, 2) \cup (3, \infty) ≡ (3,\infty)\cup(-\infty,2)
(0,9) \cup (9,36) ≡ (0, 9)∪(9, 36)
x\in(2,12) \cup (12,102) ≡ (2,12) \cup (12,102)
(-\infty, 2) \cup (3, \infty) ≢ (-\infty, 2] \cup (3, \infty)
(0,9) \cup (9,36) ≢ (0,36)
(0,9) \cup (9,36) ≢ (0,9)
(0,9) \cup (9,36) ≢ (0,9), (9,36)

# large integers
123456789012345678901234567890 ≡ 123456789012345678901234567890.0
2^{100} ≡ 1267650600228229401496703205376
123456789012345678901234567890 ≢ 123456789012345678901234567891
2^{100} ≢ 1267650600228229401496703205377
2^{1000} ≢ 2^{1000}+1
9007199254740993 ≢ 9007199254740992

# signs
−5 ≡ -5
+5 ≡ 5
-(3-5) ≡ 2
-(-4) ≡ 4
-5 ≢ 5
-x ≢ x
3-5 ≢ 5-3

# wrappers
{5} ≡ 5
{{\frac12}} ≡ 0.5
$5$ ≡ 5
\(5\) ≡ 5
(5) ≡ 5
5. ≡ 5
\displaystyle\frac{1}{2} ≡ \frac{1}{2}
\left(x+1\right)y ≡ xy+y
3 \cdot 4 ≡ 3\times4
3*4 ≡ 12

# traps
\frac{1}{ ≢ 1
\frac{1 ≢ \frac{1}{2}
\sqrt{ ≢ 2
1} ≢ 1
(1,2 ≢ (1,2)
\left( ≢ \right)
 ≢ 5
 ≢ 0
{} ≢ 0
\text{} ≢ 0
1 2 ≢ 12
\frac{1}{0} ≢ 0
\frac{1}{0} ≢ \frac{2}{0}
0 ≢ 1
12 ≢ 21
\foo{3} ≢ 3
f(x) ≢ g(x)
? ≢ !
`;

export interface Pair {
  readonly group: string;
  readonly given: string;
  readonly right: string;
  readonly equal: boolean;
}

export const pairs: readonly Pair[] = (TABLE + FORMS)
  .split(/^# /m)
  .slice(1)
  .flatMap((text) => {
    const [group, ...lines] = text.split('\n');
    return lines.filter(Boolean).map((line) => {
      const [given, sign, right] = line.split(/ ?([≡≢]) ?/);
      return { group, given, right, equal: sign === '≡' };
    });
  });
