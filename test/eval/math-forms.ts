/** Pairs as in math-pairs.ts, of the ways in which an answer is written rather than of its value. */
export const FORMS = String.raw`
# rows of matrices
\begin{pmatrix} 1 \\[6pt] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\[6pt] 2 \\[6pt] 3 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \\ 3 \end{pmatrix}
\begin{pmatrix} 1 \\*[1ex] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\* 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\ [0.5em] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{bmatrix} 1 & 2 \\[-2pt] 3 & 4 \end{bmatrix} ≡ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
\left[\begin{array}{cc} 1 & 0 \\[4pt] 0 & 1 \end{array}\right] ≡ \begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}
\left(\begin{array}{c|c} 1 & 0 \\ \hline 0 & 1 \end{array}\right) ≡ \begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}
\left(\begin{matrix} 1 \\ 2 \end{matrix}\right) ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\left(\begin{smallmatrix} 1 \\ 2 \end{smallmatrix}\right) ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{psmallmatrix} 1 \\ 2 \end{psmallmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{matrix} 1 \\ 2 \end{matrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \cr 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \\ \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\ 2 \\[3pt] \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \newline 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \tabularnewline 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\mathbf{v} = \begin{pmatrix} 1 \\ 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{vmatrix} 1 & 2 \\[5pt] 3 & 4 \end{vmatrix} ≡ \begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}
\begin{pmatrix} 1 \\\\ 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix}[c] 1 \\ 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix}[rr] 1 & 2 \\ 3 & 4\end{pmatrix} ≡ \begin{pmatrix} 1&2 \\ 3&4 \end{pmatrix}
\begin{pmatrix} 1 \\ [6pt] \end{pmatrix} ≢ \begin{pmatrix} 1 \\ 6 \end{pmatrix}
\begin{pmatrix} 1 \\[6pt] 2 \end{pmatrix} ≢ \begin{pmatrix} 1 \\ 3 \end{pmatrix}
\begin{pmatrix} 1 \\[6pt] 2 \end{pmatrix} ≢ \begin{pmatrix} 1 \\ 6pt2 \end{pmatrix}
\begin{pmatrix} 1 \\[6pt] 2 \end{pmatrix} ≢ \begin{pmatrix} 1 & 2 \end{pmatrix}
\begin{pmatrix} 1 \\ [6] \end{pmatrix} ≢ \begin{pmatrix} 1 \end{pmatrix}
\begin{cases} x & x>0 \\[6pt] -x & x<0 \end{cases} ≡ \begin{cases} x & x>0 \\ -x & x<0 \end{cases}
\begin{vmatrix} 1 & 2 \\[5pt] 3 & 4 \end{vmatrix} ≢ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
2\begin{pmatrix} 1 \\ 2 \end{pmatrix} ≢ \begin{pmatrix} 1 \\ 2 \end{pmatrix}

# relations, typed
x >= 5 ≡ x \geq 5
x <= 5 ≡ x \leq 5
x => 5 ≢ x \leq 5
x != 5 ≡ x \neq 5
x =/= 5 ≡ x \neq 5
x ≥ 5 ≡ x \ge 5
x ≤ 5 ≡ x \le 5
x ⩾ 5 ≡ x \ge 5
x ⩽ 5 ≡ x \le 5
x ≧ 5 ≡ x \ge 5
x \geqq 5 ≡ x \ge 5
x \ngtr 5 ≢ x > 5
x \not= 5 ≡ x \ne 5
x \not\in [0,1] ≢ x \in [0,1]
x \notin [0,1] ≢ x \in [0,1]
1 <= x <= 2 ≡ 1 \le x \le 2
1 ≤ x < 2 ≡ 1 \leq x < 2
x >= 5 ≢ x > 5
x >= 5 ≢ x <= 5
x >= 5 ≢ x = 5
x == 5 ≡ x = 5
x < 3 ≡ x \lt 3
x ＜ 3 ≡ x < 3
x >= 5 ≡ 5 <= x
\ge 5 ≢ 5
x \geqslant 5 ≡ x>=5
x > 5 ≢ x < 5
-2 <= x <= 7 ≡ -2 \leq x \leq 7
x \in \mathbb{R} ≡ \mathbb{R}

# faces of letters
\mathbb R ≡ \mathbb{R}
ℝ ≡ \mathbb{R}
\R ≡ \mathbb{R}
\mathbb{R} ≢ \mathbb{Z}
\mathbb R ≢ \mathbb Z
\mathbb R ≢ R
\mathbb{R} \setminus \{0\} ≡ \mathbb R\setminus\{0\}
\mathbb{N} ≡ ℕ
\Bbb R ≡ \mathbb{R}
\Bbb{R} ≡ \mathbb{R}
\mathbb{R}^2 ≡ \mathbb R^2
\mathbf 5 ≡ 5
\mathrm A ≡ A
\mathrm d ≡ d
\text A ≡ A
\textbf A ≡ A
\bf 5 ≡ 5
{\bf 5} ≡ 5
\rm{cm} ≡ cm
\mathcal{P} ≡ \mathcal P
\mathcal P ≢ P

# other digits and widths
５ ≡ 5
４２ ≡ 42
－５ ≡ -5
ｘ＝５ ≡ x=5
（１，２） ≡ (1,2)
１／２ ≡ \frac12
５０％ ≡ 50
１．５ ≡ 1.5
ｘ＋１ ≡ x+1
｛１，２｝ ≡ \{1,2\}
[１，２） ≡ [1,2)
𝟓 ≡ 5
𝑥+1 ≡ x+1
٥ ≡ 5
५ ≡ 5
Ａ ≡ A
５ ≢ 6
１２ ≢ 21

# symbols of Unicode
−5 ≡ -5
﹣5 ≡ -5
‐5 ≡ -5
‑5 ≡ -5
—5 ≡ -5
3×4 ≡ 12
3·4 ≡ 12
3∙4 ≡ 12
3•4 ≡ 12
3⋅4 ≡ 12
3∗4 ≡ 12
6÷3 ≡ 2
6∕3 ≡ 2
6⁄3 ≡ 2
√8 ≡ 2\sqrt{2}
√(8) ≡ 2\sqrt{2}
√2/2 ≡ \frac{\sqrt2}{2}
2√3 ≡ 2\sqrt{3}
√12 ≡ 2√3
√{3} ≡ \sqrt3
√3+1 ≡ 1+\sqrt3
√(x+1) ≡ \sqrt{x+1}
√(3)/2 ≡ \frac{\sqrt{3}}{2}
∛8 ≡ 2
∜16 ≡ 2
\sqrt(8) ≡ 2\sqrt2
\sqrt(x+1) ≡ \sqrt{x+1}
(√5−1)/2 ≡ \frac{\sqrt5-1}{2}
2π ≡ 2\pi
π/6 ≡ \frac{\pi}{6}
∞ ≡ \infty
−∞ ≡ -\infty
(−∞, 3] ≡ (-\infty,3]
90° ≡ 90^\circ
90º ≡ 90
90˚ ≡ 90
90 degrees ≡ 90
x² ≡ x^2
x³+1 ≡ x^3+1
x⁴ ≡ x^4
x¹⁰ ≡ x^{10}
10⁻⁵ ≡ 10^{-5}
2ⁿ ≡ 2^n
x⁻¹ ≡ \frac1x
x₁ ≡ x_1
x₁₂ ≡ x_{12}
52₈ ≡ 52_8
log₂8 ≡ 3
½ ≡ \frac12
1½ ≡ \frac32
1 ½ ≡ 1.5
¼ ≡ 0.25
¾ ≡ \frac34
⅓ ≡ \frac13
⅔ ≡ \frac23
2⅔ ≡ \frac83
⅛ ≡ \frac18
⅞ ≡ \frac78
½π ≡ \frac{\pi}{2}
½ x ≡ \frac x2
x½ ≢ x+\frac12
1½ ≢ \frac12
x² ≢ 2x
x¹² ≢ x^2
x²³ ≢ x^2\cdot 3
√8 ≢ 8
√12 ≢ 2√2
≤ 5 ≢ 5
5 ∪ 6 ≢ 56
[0,1]∩[2,3] ≢ [0,1]∪[2,3]
±3 ≡ \pm 3
1∓2 ≡ 1\pm2
α ≡ \alpha
β+α ≡ \alpha+\beta
θ=π/3 ≡ \frac{\pi}{3}
Δ ≢ \delta
φ ≡ \phi
λ ≡ \lambda
ω ≡ \omega
μ ≡ \mu
x ∈ [0,1] ≡ [0,1]
∅ ≡ \emptyset
ø ≡ \emptyset
\O ≢ 0
≈ 5 ≢ 6
5 ≠ x ≡ x \ne 5
“yes” ≡ yes
x′ ≡ x'
⟨1,2⟩ ≡ \langle 1,2\rangle
⌊2.5⌋ ≡ 2
|−3| ≡ 3
∣-3∣ ≡ 3
x ∗ y ≡ xy
1,2… ≢ 1,2
1 000 ≡ 1000
1 000 000 ≡ 1000000
i² ≡ -1
sin²x ≡ \sin^2 x
sin²(x) ≡ \sin^2 x

# functions, typed
sqrt(8) ≡ 2\sqrt2
sqrt(8) ≡ \sqrt{8}
2sqrt(2) ≡ \sqrt8
2*sqrt(2) ≡ \sqrt8
sqrt2 ≡ \sqrt2
sqrt 2 ≡ \sqrt 2
sqrt{2} ≡ \sqrt2
sqrt(3)/2 ≡ \frac{\sqrt3}{2}
(1+sqrt(5))/2 ≡ \frac{1+\sqrt5}{2}
sqrt(x^2+1) ≡ \sqrt{x^2+1}
sqrt(2) + sqrt(3) ≡ \sqrt3+\sqrt2
cbrt(8) ≡ 2
pi/6 ≡ \frac{\pi}{6}
2pi ≡ 2\pi
2 pi ≡ 2\pi
2*pi ≡ 2\pi
pi ≡ \pi
Pi ≡ \pi
PI ≡ \pi
12pi ≡ 12\pi
pi r^2 ≡ \pi r^2
sin(x) ≡ \sin x
sin x ≡ \sin x
sin^2 x ≡ \sin^2 x
sin(2x) ≡ \sin 2x
cos(pi/3) ≡ \frac12
tan(x) ≡ \tan x
ln(2) ≡ \ln 2
ln 2 ≡ \ln 2
log(100) ≡ 2
log_2(8) ≡ 3
log_2 8 ≡ 3
exp(x) ≡ e^x
arctan(1) ≡ \frac{\pi}{4}
arcsin(1) ≡ \frac{\pi}{2}
asin(1) ≡ \frac{\pi}{2}
abs(-3) ≡ 3
infinity ≡ \infty
inf ≡ \infty
infty ≡ \infty
-infinity ≡ -\infty
(-inf, 3) ≡ (-\infty,3)
(-infinity, 3] U [5, infinity) ≡ (-\infty,3]\cup[5,\infty)
x in [0,1] ≡ [0,1]
(0,1) U (2,3) ≡ (0,1)\cup(2,3)
(0,1) union (2,3) ≡ (0,1)\cup(2,3)
theta ≡ \theta
alpha ≡ \alpha
frac{1}{2} ≡ \frac12
2^(1/2) ≡ \sqrt2
2**3 ≡ 8
x**2 ≡ x^2
x^(2) ≡ x^2
e^(2x) ≡ e^{2x}
x^(n+1) ≡ x^{n+1}
2^(n) ≡ 2^n
(x+1)/(x-1) ≡ \frac{x+1}{x-1}
1/(x+1) ≡ \frac{1}{x+1}
1/sqrt(2) ≡ \frac{\sqrt2}{2}
+/- 3 ≡ \pm 3
1 +/- sqrt(2) ≡ 1\pm\sqrt2
sqrt(8) ≢ 8
sqrt(8) ≢ 2\sqrt3
sin(x) ≢ \cos x
pi ≢ p i
ln(2) ≢ \log 2
sin ≢ \sin x
2pi ≢ 2
sqrt(2)/2 ≢ \sqrt{2/2}
spin ≢ s\pi n
sqrt(x)y ≢ \sqrt{xy}
2^(1/2) ≢ 2^1/2
x^(2)y ≢ x^{2y}
5e-3 ≡ 0.005
1e5 ≡ 100000
1.5e3 ≡ 1500
1.5E3 ≡ 1500
5e3 ≢ 5

# styles, units and degrees
5 \text{cm} ≡ 5
5\,\text{cm} ≡ 5
5\ \mathrm{cm} ≡ 5
5\text{ cm}^2 ≡ 5
5\text{ cm}^{2} ≡ 5
5 cm² ≡ 5
5\text{ cm}² ≡ 5
5\,\text{m/s} ≡ 5
5 m/s ≡ 5
5\; \text{units} ≡ 5
5\text{ square units} ≡ 5
5\text{ sq. units} ≡ 5
5 \text{ hours} ≡ 5
\text{5 hours} ≡ 5
\mathrm{5\,cm} ≡ 5
\textbf{5} ≡ 5
\mathbf{5} ≡ 5
\boldsymbol{5} ≡ 5
\bm{5} ≡ 5
\textit{5} ≡ 5
\mathit{5} ≡ 5
\underline{5} ≡ 5
\overline{AB} ≢ AB
\color{red}{5} ≡ 5
\color{red}5 ≡ 5
{\color{red}5} ≡ 5
\textcolor{red}{5} ≡ 5
\mathsf{5} ≡ 5
\texttt{5} ≡ 5
\mathtt{5} ≡ 5
\emph{yes} ≡ yes
\hbox{5} ≡ 5
\large 5 ≡ 5
\Large{5} ≡ 5
\huge 5 ≡ 5
\boxed{5} ≡ 5
\fbox{5} ≡ 5
\phantom{0}5 ≡ 5
\hspace{1em}5 ≡ 5
5\hfill ≡ 5
\ensuremath{5} ≡ 5
**5** ≡ 5
*5* ≡ 5
"5" ≡ 5
5; ≡ 5
5, ≡ 5
5! ≢ 5
$$5$$ ≡ 5
\[5\] ≡ 5
\(5\) ≡ 5
\$5.00 ≡ 5
USD 5 ≡ 5
€5 ≡ 5
£5 ≡ 5
5¢ ≡ 5
¥5 ≡ 5
₹5 ≡ 5
5 euros ≡ 5
5\text{ meters per second} ≡ 5
5 people ≡ 5
5\text{ people} ≡ 5
5\text{ apples} ≡ 5
5\% ≡ 5
5 \% ≡ 5
5 percent ≡ 5
5\,\% ≡ 5
5 per cent ≡ 5
45^{\circ} ≡ 45
45^{ \circ } ≡ 45
45{}^\circ ≡ 45
45^o ≡ 45
45^{o} ≡ 45
45\degree ≡ 45
45\text{°} ≡ 45
45\text{ degrees} ≡ 45
45 \deg ≡ 45
45^\circ\text{C} ≡ 45
45^\circ C ≡ 45
45°F ≡ 45
45\,^\circ ≡ 45

# thousands, set apart
1,000 ≡ 1000
12,345,678 ≡ 12345678
1{,}000 ≡ 1000
1\,000 ≡ 1000
1\,000\,000 ≡ 1000000
1\;000 ≡ 1000
1~000 ≡ 1000
1'000 ≡ 1000
\text{1,000} ≡ 1000
$1,000$ ≡ 1000
-1,000 ≡ -1000
1,000.50 ≡ 1000.5
1,00 ≢ 100
1,000 ≢ 1

# tuples, intervals and lists as written
]0,1[ ≡ (0,1)
[0,1[ ≡ [0,1)
\left]0,1\right[ ≡ (0,1)
\lbrack 0,1) ≡ [0,1)
[0,1\rbrack ≡ [0,1]
[0;1] ≡ [0,1]
(1;2) ≡ (1,2)
\langle 1,2 \rangle ≡ (1,2)
(1,\ 2) ≡ (1,2)
(x,y)=(1,2) ≡ (1,2)
(x, y) = (1, 2) ≡ (1,2)
(r,\theta)=(3,\pi/2) ≡ (3,\frac{\pi}{2})
(a,b,c)=(1,2,3) ≡ (1,2,3)
P = (1,2) ≡ (1,2)
x=1, x=2 ≡ 1,2
x=1,2 ≡ 1,2
x_1=1, x_2=2 ≡ 1,2
x \in \{1,2\} ≡ 1,2
{1,2,3} ≡ \{1,2,3\}
{1, 2} ≡ \{1,2\}
\{1, 2\} ≡ \left\{1,2\right\}
\lbrace 1,2 \rbrace ≡ \{1,2\}
\{ 1 ; 2 \} ≡ \{1,2\}
1; 2 ≡ 1,2
1 and 2 ≡ 1,2
1 \& 2 ≡ 1,2
1, 2, \text{and } 3 ≡ 1,2,3
1, 2, and 3 ≡ 1,2,3
1 or 2 ≡ 1,2
1 \text{ or } 2 ≡ 1,2
1 \lor 2 ≡ 1,2
x=1 \lor x=2 ≡ 1,2
x=1 \vee x=2 ≡ 1,2
(1,2), (3,4) ≡ (3,4),(1,2)
\{(1,2),(3,4)\} ≡ (1,2),(3,4)
(1,2) and (3,4) ≡ (1,2),(3,4)
(1,2) \text{ and } (3,4) ≡ (1,2),(3,4)
(1, 2) or (3, 4) ≡ (1,2),(3,4)
(-\infty,0) \bigcup (1,\infty) ≡ (-\infty,0)\cup(1,\infty)
[0,1] \cap [2,3] ≢ [0,1]
[0,1] ≢ ]0,1[
\{1,2\} ≢ \{1,3\}
\begin{aligned} x&=1 \end{aligned} ≢ 2

# plus or minus in words
x = \pm 2 ≡ \pm 2
\pm\sqrt{2} ≡ \sqrt2,-\sqrt2
x = 2 \text{ or } -2 ≡ \pm 2
x=2 \text{ or } x=-2 ≡ \pm2
\frac{-1\pm\sqrt5}{2} ≡ \frac{-1+\sqrt5}{2}, \frac{-1-\sqrt5}{2}
-\frac12 \pm \frac{\sqrt5}{2} ≡ \frac{-1\pm\sqrt5}{2}
\frac{-1 \pm i\sqrt{3}}{2} ≡ -\frac12 \pm \frac{\sqrt3}{2}i

# fractions, set otherwise
\dfrac{1}{2} ≡ \frac12
\tfrac{1}{2} ≡ \frac12
\cfrac{1}{2} ≡ \frac12
\frac{1}{2} ≡ 1/2
{1 \over 2} ≡ \frac12
1 \over 2 ≡ \frac12
{n \choose 2} ≡ \binom n2
\sfrac{1}{2} ≡ \frac12
\nicefrac{1}{2} ≡ \frac12
\frac 1 2 ≡ \frac12
\frac{1} {2} ≡ \frac12
\frac1{2} ≡ \frac12
\frac {\pi} {2} ≡ \frac\pi2
\frac{\sqrt3}2 ≡ \frac{\sqrt{3}}{2}
\frac{a}b ≡ a/b
\frac{\text{1}}{2} ≡ \frac12
3:4 ≢ 4:3
\left(\frac12\right) ≡ \frac12
\frac{1}{2}. ≡ \frac12
0.5000 ≡ \frac12
50/100 ≡ \frac12
1 / 2 ≡ \frac12
(1/2) ≡ \frac12
-1/2 ≡ \frac{-1}{2}
1/2x ≡ \frac12 x
1/2 π ≡ \frac{\pi}{2}
3/4 \pi ≡ \frac{3\pi}{4}
\frac{3}{4}\,\pi ≡ \frac{3\pi}{4}
3\frac{1}{2} ≡ 3.5
3 \frac 12 ≡ 3.5
3-1/2 ≢ 3.5
0.\overline{6} ≡ \frac23
0.\overline{12} ≡ \frac{4}{33}
0.\bar{6} ≡ \frac23
0.\bar 6 ≡ \frac23
0.666\ldots ≢ \frac23
0.\dot{6} ≡ \frac23

# answers in words
\text{Yes} ≡ Yes
Yes. ≡ yes
\text{The answer is 5} ≢ 6
\text{ Evelyn } ≡ \text{Evelyn}
\text{(A) 5} ≢ \text{(B) 5}
\text{A} ≡ A
Answer: 5 ≡ 5
\text{Answer: }5 ≡ 5
The answer is 5 ≡ 5
\text{Infinity} ≡ \infty
\text{None} ≡ none
Evelyn ≡ \text{Evelyn}
\text{no solution} ≡ \text{No solution}

# near misses
3 \text{ tenths} ≢ 3
2\text{ thirds} ≢ 2
52\text{ base }8 ≢ 52
5\text{ squared} ≢ 5
5 \text{ factorial} ≢ 5
3\text{ pairs} ≢ 3
1½ ≢ 1
x² ≢ x2
52₈ ≢ 52
√2 ≢ 2
∛8 ≢ \sqrt8
½ ≢ 12
2⅓ ≢ 2\cdot\frac13
sqrt(3)/2 ≢ \sqrt{3/2}
sqrt(8)/2 ≢ 2
x^(n)+1 ≢ x^{n+1}
e^(2)x ≢ e^{2x}
sin(x)y ≢ \sin(xy)
log(2) ≢ \ln 2
pi r ≢ p i r
spin ≢ \sin p
asin x ≢ \arcsin x
cost ≢ \cos u
tan ≢ \tan x
x => 5 ≢ x \le 5
x != 5 ≢ x = 5
\mathbb Q ≢ \mathbb R
\left|\begin{array}{cc}1&2\\3&4\end{array}\right| ≢ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
]0,1[ ≢ [0,1]
[0,1[ ≢ (0,1]
[0,1],[2,3] ≢ (0,1),(2,3)
[0,1]\cup[2,3] ≢ (0,1)\cup(2,3)
(x,y)=(1,2) ≢ (y,x)=(1,2)
(x,y)=(1,2) ≢ (2,1)
AB=5 ≢ CD=5
xy=5 ≢ 5
2y=5 ≢ 5
45^o ≢ 54
x^o ≢ x
C^o ≢ C
10^{\circ}C ≢ 100
a \circ b ≢ ab
f''(x) ≢ f(x)
f'(x) ≢ f(x)
1'000 ≢ 1
1,\,234 ≢ 1,235
(2,\,345) ≢ 2345
1; 2 ≢ 12
(1;2) ≢ (2;1)
0.\bar{6} ≢ 0.6
0.1\bar{6} ≢ 0.\bar{16}
1/2x ≢ \frac{1}{2x}
3/4\pi ≢ \frac{3}{4\pi}
1/2(x+1) ≢ \frac{1}{2(x+1)}
2/3! ≢ \frac{2}{3}!
x^{2}3 ≢ x^{23}
2^{3}5 ≢ 2^{35}
\sqrt xy ≢ \sqrt{xy}
1,2,\ldots ≢ 1,2
1,2... ≢ 1,2
\text{5 or more} ≢ 5
\mathbf{\frac{1}{2}} ≢ \frac{1}{3}
\underline{5} ≢ 6
\\frac{1}{2} ≢ \frac{1}{3}
answer: 5 ≢ 6
\text{The answer is } 5 ≢ \text{The answer is } 6
*x* ≢ y
５ ≢ ６
١٢ ≢ 21
Γ ≢ \gamma
5 m/s ≢ 6 m/s
+/- 3 ≢ 3
1+/-2 ≢ 3
|x| ≢ x
abs(x) ≢ x
\infty ≢ inf f
\overline{z} ≢ z
\hat{i} ≢ i
\bar{x} ≢ x
\vec{v} ≢ v
0.\overline{3} ≢ 0.3
\tan^{-1} x ≢ \cot x
\begin{cases} x & x>0 \\[6pt] -x & x<0 \end{cases} ≢ \begin{cases} x & x>0 \\ x & x<0 \end{cases}
5 \choose 2 ≢ 52
{5 \choose 2} ≢ \frac52
\text{no} ≢ \text{yes}
\text{five} ≢ 5
1e5 ≢ 1e6
2e ≢ 2
\phi ≢ \psi
α ≢ a
3 \text{ or } 4 ≢ 34
5 < x ≢ 5 > x
\frac{1}{2}\begin{pmatrix}2\\4\end{pmatrix} ≢ \begin{pmatrix}2\\4\end{pmatrix}
5\% ≢ 0.05
1{,}5 ≢ 1.5
1,5 ≢ 1.5
USD 5 ≢ 6
5 ways ≢ 6
Answer: A ≢ B
\mathbb{R}^2 ≢ \mathbb{R}^3
\R ≢ \Z
x \in \mathbb{R} ≢ x \in \mathbb{Z}
(-\infty,3] U [5,\infty) ≢ (-\infty,3) U [5,\infty)
2*3 ≢ 23
2**3 ≢ 6
√3x ≢ \sqrt{3x}
\sqrt 3x ≢ \sqrt{3x}
10⁻⁵ ≢ 10^5
log₂3 ≢ \log_3 2
\log_{2}8 ≢ \log 28
x₁ ≢ x_2
a₁₂ ≢ a_1 2
\dot{x} ≢ x
x' ≢ x

# typed and set, once more
x\ge5 ≡ x >= 5
x≥5 ≡ x>=5
$x >= 5$ ≡ x \geq 5
5 <= x < 7 ≡ 5 \le x < 7
a =< b ≢ a > b
\mathbb{C} ≡ ℂ
\mathbb  Z ≡ \mathbb{Z}
\{x \mid x > 0\} ≡ \{x | x>0\}
\{x : x > 0\} ≡ \{x:x>0\}
2√3 cm ≡ 2\sqrt{3}
½ cm ≡ \frac12
45 ° ≡ 45
−½ ≡ -\frac12
-1½ ≡ -1.5
√½ ≡ \sqrt{\frac12}
x^½ ≡ \sqrt x
2^{½} ≡ \sqrt2
3√2/2 ≡ \frac{3\sqrt2}{2}
√(2)/2 ≡ \frac{\sqrt2}{2}
(−1 ± √5)/2 ≡ \frac{-1\pm\sqrt5}{2}
(-1 +/- sqrt(5))/2 ≡ \frac{-1\pm\sqrt5}{2}
\sqrt[3](8) ≡ 2
sqrt(x)*sqrt(y) ≡ \sqrt{xy}
sqrt[3]{8} ≡ 2
2\pi r^2 ≡ 2*pi*r^2
4/3 pi r^3 ≡ \frac43\pi r^3
4/3*pi*r^3 ≡ \frac{4}{3}\pi r^3
n(n+1)/2 ≡ \frac{n(n+1)}{2}
(n+1)! / n! ≡ n+1
sin(pi/6) ≡ \frac12
sin(30°) ≡ \frac12
sin 30° ≡ \frac12
cos^2(x) ≡ \cos^2 x
cosx ≡ \cos x
tanθ ≡ \tan\theta
ln x ≡ \ln x
lnx ≡ \ln x
log_{2}(8) ≡ 3
log10(100) ≢ 3
e^x ≡ exp(x)
e^-x ≡ e^{-x}
x^-1 ≡ \frac1x
2^-3 ≡ \frac18
10^-3 ≡ 0.001
10^{−3} ≡ 0.001
6.02×10²³ ≡ 6.02\times 10^{23}
6.02 x 10^23 ≢ 6
1.5*10^3 ≡ 1500
|x−1| ≡ |x-1|
\lvert x\rvert ≡ |x|
⌈2.5⌉ ≡ 3
\lfloor 2.5\rfloor ≡ 2
[−1, ∞) ≡ [-1,\infty)
(−∞, −2) ∪ (2, ∞) ≡ (-\infty,-2)\cup(2,\infty)
(-oo, 2] ≢ (0,2]
(-∞,3]U[5,∞) ≡ (-\infty,3]\cup[5,\infty)
x ∈ [0, 1) ≡ [0,1)
{1; 2; 3} ≡ \{1,2,3\}
\{1, 2, \ldots, 10\} ≡ \{1,2,\dots,10\}
\mathbf{(1, 2)} ≡ (1,2)
\text{(1, 2)} ≡ (1,2)
\text{$\frac{1}{2}$} ≡ \frac12
\text{\$5} ≡ 5
\textbf{5\%} ≡ 5
\text{Yes, it is} ≢ \text{No}
\begin{pmatrix} 1/2 \\[0.2cm] 3 \end{pmatrix} ≡ \begin{pmatrix} \frac12 \\ 3 \end{pmatrix}
\begin{pmatrix} 1 \\[.5ex] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\[1.5\baselineskip] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\[\jot] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\[ 6 pt ] 2 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 \\[6pt] 2 \end{pmatrix}, \begin{pmatrix} 3 \\[6pt] 4 \end{pmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}, \begin{pmatrix} 3 \\ 4 \end{pmatrix}
\begin{aligned} x &= 1 \\[6pt] y &= 2 \end{aligned} ≡ \begin{aligned} x &= 1 \\ y &= 2 \end{aligned}
\begin{array}{c} 1 \\[6pt] 2 \end{array} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{Bmatrix} 1 \\[6pt] 2 \end{Bmatrix} ≡ \begin{Bmatrix} 1 \\ 2 \end{Bmatrix}
\begin{bmatrix} 1\\2\end{bmatrix} ≡ \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\dfrac{３}{４} ≡ \frac34
－３／４ ≡ -\frac34
（－１，２］ ≡ (-1,2]
１，０００ ≡ 1000
\text{５} ≡ 5
5\text{%} ≡ 5
5\ \text{km/h} ≡ 5
5\text{ kg} ≡ 5
5 kg ≡ 5
25\text{ cm}² ≡ 25
$25$ ≡ 25
\$25\text{ million} ≢ 25
042 ≡ 42
42.0 ≡ 042
007 ≡ 7
`;
