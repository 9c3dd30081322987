"""Small models, each built the way that people build theirs: what `adapt` meets at the door.

`ZOO` lists them with the hint that each needs, the latents that it should get, and its own answer
to images by way of the means, `natural(model, x)`.
"""
from collections import namedtuple
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.distributions import (Bernoulli, Independent, Laplace, MultivariateNormal, Normal,
                                 OneHotCategorical, RelaxedOneHotCategorical)
from torch.nn import functional as F
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

ZOO = {}


@dataclass
class Case:
    "One model: how to make it, and what is expected of it."
    make: type
    shape: tuple = (1, 8, 8)
    hint: dict = field(default_factory=dict)
    latents: tuple = (3,)  # the shape of z, or of z1 where there are several levels
    says: str = ""  # what the adapted model says of its posterior: a pattern
    sites: dict = field(default_factory=dict)  # name -> number of units
    refused: str = ""  # a pattern of the one line, where it is refused
    natural: object = None
    logvar: object = None  # the log variance, by the model's own words
    slow: bool = False  # there is no trace of it: every pass is a pass of the model
    after: object = None  # what is done to the model before it is adapted


def case(title, **facts):
    "The class below is a case of the zoo; `natural` is decode of the first thing encoded."
    def add(kind):
        facts.setdefault("natural", lambda m, x: m.decode(m.encode(x)[0]))
        ZOO[title] = Case(kind, **facts)
        return kind
    return add


class Dense(nn.Module):
    "An encoder with two heads and a decoder, for flat numbers or little pictures."
    def __init__(self, size=64, latents=3):
        super().__init__()
        self.e, self.fc21 = nn.Linear(size, 12), nn.Linear(12, latents)
        self.fc22, self.d = nn.Linear(12, latents), nn.Linear(latents, 12)
        self.o = nn.Linear(12, size)

    def heads(self, x):
        h = torch.tanh(self.e(x.flatten(1)))
        return self.fc21(h), self.fc22(h)

    def encode(self, x): return self.heads(x)

    def decode(self, z): return torch.sigmoid(self.o(torch.tanh(self.d(z)))).view(-1, 1, 8, 8)


def halved(axis): return lambda m, x: m.decode(m.encode(x).chunk(2, axis)[0])


# What an encoder may return

@case("mu, logvar", says="fc21 → mu, fc22 → logvar", logvar=lambda m, x: m.heads(x)[1])
class Pair(Dense):
    def encode(self, x):
        mu, log_var = self.heads(x)
        return mu, log_var


@case("both halves, by channel", latents=(2, 4, 4), natural=halved(1), says="halves",
      sites={"down": 4})
class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 4, 2, 1), nn.ConvTranspose2d(2, 1, 4, 2, 1)

    def encode(self, x): return self.down(x)

    def decode(self, z): return self.up(z)


@case("both halves, by last axis", latents=(4, 3), shape=(4, 5), natural=halved(-1), says="halves")
class LastAxis(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(5, 6), nn.Linear(3, 5)

    def encode(self, x): return self.into(x)

    def decode(self, z): return self.out(z)


@case("logvar before mu", natural=lambda m, x: m.decode(m.encode(x)[1]),
      logvar=lambda m, x: m.heads(x)[1], says="fc21 → mu, fc22 → logvar")
class Swapped(Dense):
    def encode(self, x):
        mu, logvar = self.heads(x)
        return logvar, mu


@case("mu, std", says="std", logvar=lambda m, x: 2 * m.encode(x)[1].log())
class Deviations(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return mu, F.softplus(s)

    def forward(self, x):
        mu, std = self.encode(x)
        return self.decode(mu + std * torch.randn_like(std)), mu, std


@case("loc, scale by name only", says="scale|std", logvar=lambda m, x: 2 * m.encode(x)[1].log())
class Located(Dense):
    def encode(self, x):
        z_loc, s = self.heads(x)
        z_scale = torch.exp(s)
        return z_loc, z_scale


@case("alpha, beta of another posterior", refused="posterior=")
class Betas(Dense):
    def encode(self, x): return tuple(F.softplus(h) for h in self.heads(x))


@case("a dictionary", natural=lambda m, x: m.decode(m.encode(x)["z_mean"]),
      logvar=lambda m, x: m.heads(x)[1], says="z_mean → mu, z_log_var → logvar")
class Names(Dense):
    def encode(self, x): return dict(zip(("z_mean", "z_log_var"), self.heads(x)))


Codes = namedtuple("Codes", "sample mean std")


@case("a named tuple", natural=lambda m, x: m.decode(m.encode(x).mean),
      logvar=lambda m, x: 2 * m.encode(x).std.log(), says="mean → mu, std → logvar")
class Tupled(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Codes(mu, mu, s.exp())


@dataclass
class Latent:
    loc: torch.Tensor
    sigma: torch.Tensor


@case("a dataclass", natural=lambda m, x: m.decode(m.encode(x).loc),
      logvar=lambda m, x: 2 * m.encode(x).sigma.log(), says="loc → mu, sigma → logvar")
class Classed(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Latent(mu, s.exp())


@case("Normal", natural=lambda m, x: m.decode(m.encode(x).mean), says="Normal",
      logvar=lambda m, x: 2 * m.encode(x).scale.log())
class OneNormal(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Normal(mu, s.exp())


@case("Independent", natural=lambda m, x: m.decode(m.encode(x).mean), says="Independent",
      logvar=lambda m, x: 2 * m.encode(x).base_dist.scale.log())
class Independents(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Independent(Normal(mu, s.exp()), 1)


@case("MultivariateNormal", natural=lambda m, x: m.decode(m.encode(x).mean), says="Multivariate",
      logvar=lambda m, x: m.encode(x).variance.log())
class Multivariate(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return MultivariateNormal(mu, scale_tril=torch.diag_embed(s.exp()))


@case("a Laplace posterior", refused="Laplace")
class Laplacian(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Laplace(mu, s.exp())


@case("z, mu, logvar", natural=lambda m, x: m.decode(m.encode(x)[1]),
      logvar=lambda m, x: m.encode(x)[2], says="second → mu, third → logvar|fc21 → mu")
class DrawFirst(Dense):
    def encode(self, x):
        mu, logvar = self.heads(x)
        return mu + (0.5 * logvar).exp() * torch.randn_like(mu), mu, logvar


@case("mean with a fixed noise before the pair", natural=lambda m, x: m.decode(m.encode(x)[1]),
      logvar=lambda m, x: m.encode(x)[2])
class FixedNoise(Dense):
    def encode(self, x):
        mu, logvar = self.heads(x)
        noise = torch.linspace(-1, 1, mu.shape[1])
        return mu + (0.5 * logvar).exp() * noise, mu, logvar

    def forward(self, x):
        _, mu, logvar = self.encode(x)
        return self.decode(mu + (0.5 * logvar).exp() * torch.randn_like(mu)), mu, logvar


@case("a Normal beside other things", natural=lambda m, x: m.decode(m.encode(x)[0].mean),
      says="Normal", logvar=lambda m, x: 2 * m.encode(x)[0].scale.log())
class NormalAndMore(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Normal(mu, s.exp()), mu.sum(1)


@dataclass
class Answer:
    posterior: Normal
    extra: object = None


@case("a Normal in a dataclass", natural=lambda m, x: m.decode(m.encode(x).posterior.mean),
      says="Normal", logvar=lambda m, x: 2 * m.encode(x).posterior.scale.log())
class NormalInside(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Answer(Normal(mu, s.exp()))


@case("posterior and prior", says="run as a whole", natural=lambda m, x: m.decode(
      m.encode(x)[0].mean), logvar=lambda m, x: 2 * m.encode(x)[0].scale.log())
class WithPrior(Dense):
    def encode(self, x):
        mu, s = self.heads(x)
        return Normal(mu, s.exp()), Normal(torch.zeros_like(mu), torch.ones_like(s))

    def forward(self, x):
        q, p = self.encode(x)
        return self.decode(q.rsample()), q, p


# What a decoder may return

@case("the decoder gives a Bernoulli", natural=lambda m, x: m.decode(m.encode(x)[0]).probs)
class Coin(Dense):
    def decode(self, z): return Bernoulli(probs=super().decode(z))


@case("the decoder gives a dictionary", natural=lambda m, x: m.decode(m.encode(x)[0])["x_hat"])
class Hat(Dense):
    def decode(self, z): return {"x_hat": super().decode(z)}


@case("the decoder gives flat numbers", natural=lambda m, x: m.decode(m.encode(x)[0]).view_as(x))
class FlatAnswer(Dense):
    def decode(self, z): return super().decode(z).flatten(1)


# No variance

@case("a deterministic autoencoder", natural=lambda m, x: m.decode(m.encode(x)), says="points")
class Plain(Dense):
    def encode(self, x): return self.heads(x)[0]


@case("encoder and decoder in Sequentials, regularized", natural=lambda m, x: m(x), says="points",
      sites={"encoder.0": 4, "encoder.1": 4})
class Regularized(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.Softplus(), nn.Flatten(),
                                     nn.Linear(64, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 64), nn.Unflatten(1, (4, 4, 4)), nn.ReLU(),
                                     nn.ConvTranspose2d(4, 1, 4, 2, 1))

    def forward(self, x): return self.decoder(self.encoder(x))


@case("points that are put on a sphere", natural=lambda m, x: m(x), says="fc21 → mu.*narrowest")
class Sphere(Dense):
    def encode(self, x): return self.heads(x)[0]

    def forward(self, x): return self.decode(F.normalize(self.encode(x), dim=1))


# Only forward

@case("only forward, with noise", natural=lambda m, x: m.decoder(m.mean(m.body(x))).view_as(x),
      logvar=lambda m, x: m.spread(m.body(x)), says="noise")
class ForwardOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
        self.mean, self.spread = nn.Linear(12, 3), nn.Linear(12, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 64))

    def forward(self, x):
        h = self.body(x)
        mu, logvar = self.mean(h), self.spread(h)
        z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
        return self.decoder(z).view_as(x), mu, logvar


@case("only forward, rsample", says="noise", logvar=lambda m, x: 2 * m.pair(x)[1].log(),
      natural=lambda m, x: m.out(m.pair(x)[0]).view_as(x))
class ForwardRsample(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(64, 6), nn.Linear(3, 64)

    def pair(self, x):
        loc, s = self.into(x.flatten(1)).chunk(2, 1)
        return loc, F.softplus(s) + 0.1

    def forward(self, x): return self.out(Normal(*self.pair(x)).rsample()).view_as(x)


@case("heads between encoder and decoder", says="found by its noise", sites={"between": 3},
      natural=lambda m, x: m.decoder(m.between(m.encoder(x))),
      logvar=lambda m, x: m.spread(m.encoder(x)))
class HeadsBetween(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.ReLU(), nn.Flatten())
        self.between, self.spread = nn.Linear(64, 3), nn.Linear(64, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, x):
        h = self.encoder(x)
        posterior = Normal(self.between(h), (self.spread(h) / 2).exp())
        return self.decoder(posterior.rsample())


@case("only forward, flat out, a loss before the picture", says="noise",
      natural=lambda m, x: m.out(m.mean(m.body(x))).view_as(x),
      logvar=lambda m, x: m.spread(m.body(x)))
class LossFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
        self.mean, self.spread, self.out = nn.Linear(12, 3), nn.Linear(12, 3), nn.Linear(3, 64)

    def forward(self, x):
        h = self.body(x)
        mu, logvar = self.mean(h), self.spread(h)
        answer = self.out(mu + torch.exp(logvar / 2) * torch.randn_like(mu))
        return F.mse_loss(answer, x.flatten(1)), answer


@case("only forward, latents named", hint={"latents": "bottleneck.code"}, says="bottleneck.code",
      natural=lambda m, x: m(x))
class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())
        self.bottleneck = nn.ModuleDict({"code": nn.Linear(12, 3)})
        self.up = nn.Linear(3, 64)

    def forward(self, x): return self.up(self.bottleneck["code"](self.down(x))).view_as(x)


@case("only forward, noise among its layers in training", says="narrowest",
      after=lambda m: m.train(), natural=lambda m, x: m(x))
class Shaken(Dense):
    encode = decode = None

    def forward(self, x):
        h = torch.tanh(self.e(x.flatten(1)))
        if self.training: h = h * (torch.rand(len(h), 1) > 0.1)
        return torch.sigmoid(self.o(torch.tanh(self.d(self.fc21(h))))).view(x.shape)


@case("only forward, the narrowest place", says="narrowest", natural=lambda m, x: m(x))
class Narrow(Named):
    pass


# Labels

@case("conditional: encode(x, y), decode(z, y)", hint={"inputs": {"y": torch.eye(4)[1:2]}},
      natural=lambda m, x: m.decode(m.encode(x, m.label(x))[0], m.label(x)),
      logvar=lambda m, x: m.encode(x, m.label(x))[1], sites={"y": 4})
class Conditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(68, 6), nn.Linear(7, 64)

    def label(self, x): return torch.eye(4)[1:2].expand(len(x), -1)

    def encode(self, x, y): return self.into(torch.cat([x.flatten(1), y], 1)).chunk(2, 1)

    def decode(self, z, y): return self.out(torch.cat([z, y], 1)).view(-1, 1, 8, 8)


def second(x): return torch.full((len(x),), 2)


@case("a whole number as label", hint={"inputs": {"y": torch.tensor([2])}}, sites={"y": 1},
      natural=lambda m, x: m.decode(m.encode(x, second(x))[0], y=second(x)),
      logvar=lambda m, x: m.encode(x, second(x))[1])
class Numbered(Dense):
    def __init__(self):
        super().__init__()
        self.into, self.onto = nn.Embedding(4, 12), nn.Embedding(4, 3)

    def encode(self, x, y):
        h = torch.tanh(self.e(x.flatten(1)) + self.into(y))
        return self.fc21(h), self.fc22(h)

    def decode(self, z, *, y): return super().decode(z + self.onto(y))


# Several levels

@case("a ladder of two levels", latents=(2,), says="2 levels",
      natural=lambda m, x: m.answer(x, lambda mu, std: mu), sites={"z1": 2, "z2": 3})
class Ladder(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.high = nn.Linear(64, 8), nn.Linear(8, 4)
        self.down, self.join, self.out = nn.Linear(2, 8), nn.Linear(16, 6), nn.Linear(5, 64)

    def answer(self, x, draw):
        low = torch.relu(self.low(x.flatten(1)))
        mu, s = self.high(low).chunk(2, 1)
        top = draw(mu, s.exp())
        mu, s = self.join(torch.cat([low, torch.relu(self.down(top))], 1)).chunk(2, 1)
        return self.out(torch.cat([top, draw(mu, s.exp())], 1)).view_as(x)

    def forward(self, x): return self.answer(x, lambda mu, std: Normal(mu, std).rsample())


class Levels(nn.Module):
    "Two levels that an encoder returns, and a decoder that takes both."
    def __init__(self, sizes=(3, 2)):
        super().__init__()
        self.a, self.b, self.o = nn.Linear(64, 12), nn.Linear(12, 8), nn.Linear(sum(sizes), 64)
        self.h1, self.h2 = nn.Linear(12, 2 * sizes[0]), nn.Linear(8, 2 * sizes[1])

    def pairs(self, x):
        a = torch.tanh(self.a(x.flatten(1)))
        return [h.chunk(2, 1) for h in (self.h1(a), self.h2(torch.tanh(self.b(a))))]

    def encode(self, x): return self.pairs(x)

    def decode(self, z): return torch.sigmoid(self.o(torch.cat(z, 1))).view(-1, 1, 8, 8)


def by_means(m, x): return Levels.decode(m, [mu for mu, _ in m.pairs(x)])


@case("a list of posteriors, one a level", says="level 2: first → mu", sites={"z1": 3, "z2": 2},
      natural=by_means)
class ListOfPairs(Levels):
    pass


@case("a list of means and one of spreads", says="level 2: first → mu, second → logvar; so",
      sites={"z1": 3, "z2": 3}, natural=by_means)
class TwoLists(Levels):
    def __init__(self): super().__init__((3, 3))

    def encode(self, x): return tuple(map(list, zip(*self.pairs(x))))

    def forward(self, x):
        return self.decode([mu + (0.5 * v).exp() * torch.randn_like(v)
                            for mu, v in zip(*self.encode(x))])


@case("lists in a dictionary, of deviations", says="std → logvar, as std", natural=by_means,
      sites={"logvar1": 3})
class NamedLists(Levels):
    def encode(self, x):
        return {"mean": [m for m, _ in self.pairs(x)], "std": [v.exp() for _, v in self.pairs(x)]}


@case("a Normal a level, decode(z1, z2)", says="level 1: Normal", natural=by_means)
class NormalLevels(Levels):
    def encode(self, x): return [Normal(mu, v.exp()) for mu, v in self.pairs(x)]

    def decode(self, z1, z2): return super().decode([z1, z2])


@case("lists of one level", says="so its|taken in order", logvar=lambda m, x: m.heads(x)[1],
      natural=lambda m, x: m.decode(m.encode(x)[0]))
class OneInLists(Dense):
    def encode(self, x): return tuple([h] for h in self.heads(x))

    def decode(self, z): return super().decode(z[0])


@case("content and style, decode(content, style)", says="level 2: first → mu; points",
      sites={"z1": 3, "z2": 3}, natural=lambda m, x: m.decode(*m.encode(x)))
class TwoParts(Dense):
    def decode(self, content, style): return super().decode(content + style)


@case("a list of points, one a level", says="level 2: first → mu; points", natural=by_means)
class PointLevels(Levels):
    def encode(self, x): return [mu for mu, _ in self.pairs(x)]


# The model's own draw, against what names and order say

class Drawing(Dense):
    "Draws as `own(x)` says: mean and deviation."
    def drawn(self, x):
        mu, std = self.own(x)
        return mu + std * torch.randn_like(std)

    def forward(self, x): return self.decode(self.drawn(x))


@case("a field `logvar` that is a deviation", says="logvar, as std; so the model itself draws",
      natural=lambda m, x: m.decode(m.own(x)[0]), logvar=lambda m, x: 2 * m.own(x)[1].log())
class WrongName(Drawing):
    def encode(self, x):
        mu, s = self.heads(x)
        return {"mu": mu, "logvar": F.softplus(s)}

    def own(self, x): return tuple(self.encode(x).values())


@case("heads in forward, behind what encode returns", says="run as a whole",
      natural=lambda m, x: m.decode(m.own(x)[0]), logvar=lambda m, x: 2 * m.own(x)[1].log())
class LateHeads(Drawing):
    def __init__(self):
        super().__init__()
        self.mean, self.spread = nn.Linear(3, 3), nn.Linear(3, 3)

    def encode(self, x): return self.heads(x)[0]

    def own(self, x):
        h = self.encode(x)
        return self.mean(h), self.spread(h).exp()


@case("named mu and logvar, but drawn cooler", says="run as a whole",
      natural=lambda m, x: m.decode(m.own(x)[0]), logvar=lambda m, x: 2 * m.own(x)[1].log())
class Cooler(Drawing):
    def encode(self, x): return dict(zip(("mu", "logvar"), self.heads(x)))

    def own(self, x):
        mu, logvar = self.heads(x)
        return mu, 0.5 * (0.5 * logvar).exp()


@case("several draws an image", says="so the model itself draws", logvar=lambda m, x: m.heads(x)[1])
class Importance(Dense):
    def forward(self, x):
        mu, logvar = (h[:, None].expand(-1, 5, -1) for h in self.heads(x))
        return self.decode((mu + (0.5 * logvar).exp() * torch.randn_like(mu)).flatten(0, 1))


@case("a denoising VAE", says="so the model itself draws", logvar=lambda m, x: m.heads(x)[1])
class Denoising(Drawing):
    def own(self, x):
        mu, logvar = self.heads(x + 0.1 * torch.randn_like(x))
        return mu, (0.5 * logvar).exp()


@case("a mean, and a loss", says="points: nothing else")
class WithLoss(Dense):
    def encode(self, x):
        h = self.heads(x)[0]
        return h, h.square().mean()


@case("a mean, and another layer of it", refused="from the other")
class WithLayer(Dense):
    def encode(self, x):
        h = self.heads(x)[0]
        return torch.tanh(h), h


@case("a flow behind the posterior", says="run as a whole", sites={"turn": 3},
      natural=lambda m, x: m.decode(m.turned(m.heads(x)[0])), logvar=lambda m, x: m.heads(x)[1])
class Flowing(Drawing):
    def __init__(self):
        super().__init__()
        self.turn = nn.Linear(3, 3)

    def own(self, x):
        mu, logvar = self.encode(x)
        return mu, (0.5 * logvar).exp()

    def turned(self, z): return z + torch.tanh(self.turn(z))

    def forward(self, x): return self.decode(self.turned(self.drawn(x)))


@case("a flow that takes {'data': x}", says="run as a whole", sites={"turn": 3},
      natural=lambda m, x: m.decode(m.turned(m.heads(x)[0])), logvar=lambda m, x: m.heads(x)[1])
class Boxed(Flowing):
    def forward(self, batch): return {"loss": 0, "recon_x": super().forward(batch["data"])}


@case("moved along gradients in a Riemannian metric", refused="another geometry")
class Leapfrog(Drawing):
    def own(self, x):
        mu, logvar = self.encode(x)
        return mu, (0.5 * logvar).exp()

    def forward(self, x):
        z = self.drawn(x)
        metric = torch.eye(3) * torch.exp(-z.norm(dim=1).square())[:, None, None] + torch.eye(3)
        push = torch.linalg.cholesky(metric) @ (torch.randn_like(z) / 0.5)[..., None]
        loss = (self.decode(z) - x).square().sum()
        slope, = torch.autograd.grad(loss, z)
        return self.decode(z + 1e-3 * (push[..., 0] - slope))


# Discrete

def rounded(m, x):
    "The answer of a model with one book of codes, by hand."
    h = m.encode(x)
    book = m.quantize.weight
    at = (h.movedim(1, -1)[..., None, :] - book).square().sum(-1).argmin(-1)
    return m.decode(book[at].movedim(-1, 1))


@case("VQ: `quantize` is a book", latents=(4, 4, 4), natural=rounded, sites={"codes": 1, "z": 4})
class Book(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.quantize = nn.Conv2d(1, 4, 4, 2, 1), nn.Embedding(8, 4)
        self.up = nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def encode(self, x): return self.down(x)

    def decode(self, z): return self.up(z)


class Quantizer(nn.Module):
    def __init__(self, entries, size):
        super().__init__()
        self.embedding = nn.Embedding(entries, size)

    def forward(self, h):
        flat = h.movedim(1, -1)
        at = torch.cdist(flat.reshape(-1, flat.shape[-1]), self.embedding.weight).argmin(1)
        q = self.embedding(at).view(flat.shape).movedim(-1, 1)
        return h + (q - h).detach(), (q - h).square().mean(), at.view(flat.shape[:-1])


@case("two books of codes", latents=(4, 2, 2), natural=lambda m, x: m(x)[0],
      sites={"codes1": 1, "codes2": 1, "z1": 4, "z2": 4})
class TwoBooks(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.high = nn.Conv2d(1, 4, 4, 2, 1), nn.Conv2d(4, 4, 4, 2, 1)
        self.quantize_b, self.quantize_t = Quantizer(8, 4), Quantizer(6, 4)
        self.grow, self.up = nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def forward(self, x):
        low = self.low(x)
        top, one, _ = self.quantize_t(self.high(low))
        grown = self.grow(top)
        bottom, two, _ = self.quantize_b(low + grown)
        return self.up(torch.cat([grown, bottom], 1)), one + two


class Running(nn.Module):
    "A book of codes in buffers, as running means keep it."
    def __init__(self, shape):
        super().__init__()
        self.register_buffer("embed_avg", torch.zeros(shape))
        self.register_buffer("embed", torch.randn(shape))

    def forward(self, h):
        rows = self.embed.reshape(-1, self.embed.shape[-1])
        q = rows[torch.cdist(h, rows).argmin(-1)]
        return h + (q - h).detach(), (q - h).square().mean()


class TurnedBook(Running):
    "Its book has a column a code."
    def forward(self, h):
        q = self.embed.T[torch.cdist(h, self.embed.T).argmin(-1)]
        return h + (q - h).detach(), (q - h).square().mean()


@case("VQ, a book in buffers", latents=(4, 4, 4), natural=lambda m, x: m(x)[0],
      sites={"codes": 1}, says="found by its codes")
class Buffered(nn.Module):
    kind, book = Running, (1, 8, 4)

    def __init__(self):
        super().__init__()
        self.down, self.vq = nn.Conv2d(1, 4, 4, 2, 1), self.kind(self.book)
        self.up = nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def forward(self, x):
        q, loss = self.vq(self.down(x).permute(0, 2, 3, 1))
        return self.up(q.permute(0, 3, 1, 2)), loss


class Nearest(nn.Module):
    "The nearest of six codes, straight through, and its number; `scale` of what comes out."
    def __init__(self, scale=1.0):
        super().__init__()
        self.codebook, self.scale = nn.Embedding(6, 4), scale

    def forward(self, h):
        flat = h.movedim(1, -1)
        codes = torch.cdist(flat.reshape(-1, 4), self.codebook.weight).argmin(-1)
        q = self.codebook(codes).view_as(flat).movedim(-1, 1)
        return self.scale * (h + (q - h).detach()), codes.view(flat.shape[:-1])


class NearestOfRest(nn.Module):
    "Codes of what the codes before them left over, and their sum."
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Nearest(), Nearest()])

    def forward(self, h):
        rest, total = h, 0.0
        for layer in self.layers:
            q, _ = layer(rest)
            rest, total = rest - q, total + q
        return total


@case("residual VQ of sound", shape=(1, 16), latents=(4, 8), says="2 levels, found by its codes",
      sites={"codes1": 1, "codes2": 1, "z1": 4, "z2": 4}, natural=lambda m, x: m(x))
class ResidualCodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.vq = nn.Conv1d(1, 4, 4, 2, 1), NearestOfRest()
        self.o = nn.ConvTranspose1d(4, 1, 4, 2, 1)

    def forward(self, x): return self.o(self.vq(self.e(x)))


@case("VQ that scales its codes", shape=(1, 16), refused="give another picture")
class ScaledCodes(ResidualCodes):
    def __init__(self):
        super().__init__()
        self.vq = Nearest(2.0)

    def forward(self, x): return self.o(self.vq(self.e(x))[0])


@case("VQ, channels put last before the book", latents=(4, 4, 4), natural=lambda m, x: m(x),
      sites={"codes": 1})
class LastBeforeBook(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.o = nn.Conv2d(1, 4, 4, 2, 1), nn.ConvTranspose2d(4, 1, 4, 2, 1)
        self.codebook = LastCodes()

    def encode(self, x): return self.codebook(self.e(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def decode(self, z): return self.o(z)

    def forward(self, x): return self.decode(self.encode(x))


class LastCodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("embed", torch.randn(6, 4))

    def forward(self, h):
        flat = h.reshape(-1, h.shape[-1])
        far = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ self.embed.T + self.embed.pow(2).sum(1)
        return F.embedding(far.argmin(-1).view(h.shape[:-1]), self.embed)


@case("VQ, a book with a column a code", latents=(4, 4, 4), natural=lambda m, x: m(x)[0],
      sites={"codes": 1}, says="found by its codes")
class Columns(Buffered):
    kind, book = TurnedBook, (4, 4)


@case("finite scalar quantization", says="found by its codes", sites={"codes": 3},
      natural=lambda m, x: m.decode(m.encode(x)))
class Scalars(Dense):
    def encode(self, x): return (torch.tanh(self.heads(x)[0]) * 2).round() / 2


class Straight(nn.Module):
    "Rounds, and lets gradients pass."
    def forward(self, h):
        h = torch.tanh(h) * torch.tensor([1.0, 2.0, 1.0])
        return h + (h.round() - h).detach()


@case("finite scalar quantization, a module between", says="found by its codes",
      sites={"codes": 3, "z": 3}, natural=lambda m, x: m(x)[0])
class ScalarModule(Dense):
    def __init__(self):
        super().__init__()
        self.fsq = Straight()

    def encode(self, x): return self.heads(x)[0]

    def forward(self, x):
        h = self.encode(x)
        return self.decode(self.fsq(h)), h


@case("finite scalar quantization of a plane", says="found by its codes", latents=(4, 4, 3),
      natural=lambda m, x: m(x))
class ScalarPlane(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.quantizer = nn.Conv2d(1, 3, 4, 2, 1), Straight()
        self.decoder = nn.ConvTranspose2d(3, 1, 4, 2, 1)

    def forward(self, x):
        z = self.quantizer(self.encoder(x).movedim(1, -1))
        return self.decoder(z.movedim(-1, 1))


@case("binary codes, by their signs", says="found by its codes", sites={"codes": 3},
      natural=lambda m, x: m.decode(m.encode(x)))
class Signs(Dense):
    def encode(self, x): return self.heads(x)[0].sign()


@case("categorical latents", latents=(2, 5), sites={"codes": 2},
      natural=lambda m, x: m.out(F.one_hot(m.into(x.flatten(1)).view(-1, 2, 5).argmax(-1), 5)
                                 .float().flatten(1)).view_as(x))
class Categories(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(64, 10), nn.Linear(10, 64)

    def forward(self, x):
        logits = self.into(x.flatten(1)).view(-1, 2, 5)
        return self.out(F.gumbel_softmax(logits, hard=True).flatten(1)).view_as(x)


class Chosen(nn.Module):
    "Categories, drawn as `hot(logits)` says."
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(64, 10), nn.Linear(10, 64)

    def answer(self, x, hot):
        logits = self.into(x.flatten(1)).view(-1, 2, 5)
        return self.out(hot(logits).flatten(1)).view_as(x)

    def natural(self, x):
        return self.answer(x, lambda h: F.one_hot(h.argmax(-1), 5).float())

    def forward(self, x): return self.answer(x, self.hot)


def chosen(m, x): return m.natural(x)


@case("categories, Gumbel's noise by hand", latents=(2, 5), sites={"codes": 2}, natural=chosen)
class HandGumbel(Chosen):
    def hot(self, logits):
        noise = -torch.log(-torch.log(torch.rand_like(logits) + 1e-20) + 1e-20)
        return torch.softmax((logits + noise) / 0.5, -1)


@case("categories, straight through", latents=(2, 5), sites={"codes": 2}, natural=chosen)
class StraightThrough(HandGumbel):
    def hot(self, logits):
        soft = super().hot(logits)
        hard = F.one_hot(soft.argmax(-1), 5).float()
        return hard - soft.detach() + soft


@case("OneHotCategorical", latents=(2, 5), sites={"codes": 2}, natural=chosen)
class Categorical(Chosen):
    def hot(self, logits): return OneHotCategorical(logits=logits).sample()


@case("RelaxedOneHotCategorical", latents=(2, 5), sites={"codes": 2}, natural=chosen)
class Relaxed(Chosen):
    def hot(self, logits):
        return RelaxedOneHotCategorical(torch.tensor(0.5), logits=logits).rsample()


@case("Bernoulli latents", latents=(2, 5), sites={"codes": 2},
      natural=lambda m, x: m.answer(x, lambda h: (h > 0).float()))
class Coins(Chosen):
    def hot(self, logits): return Bernoulli(logits=logits).sample()


# Input that is no picture, and other types

@case("flat pictures, view(-1, 64)", says="flat",
      natural=lambda m, x: m.decode(m.encode(x.flatten(1))[0]).view_as(x))
class Flat(Dense):
    def encode(self, x): return self.heads(torch.relu(x @ torch.eye(64)))

    def decode(self, z): return super().decode(z).view(-1, 64)


@case("signals", shape=(2, 16), latents=(4, 4), sites={"e.0": 4, "e.1": 4, "d.0": 4},
      natural=lambda m, x: m.decode(m.encode(x)[0]))
class Signals(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Sequential(nn.Conv1d(2, 4, 4, 2, 1), nn.ReLU())
        self.heads = nn.Conv1d(4, 8, 4, 2, 1)
        self.d = nn.Sequential(nn.ConvTranspose1d(4, 4, 4, 2, 1), nn.ReLU())
        self.o = nn.ConvTranspose1d(4, 2, 4, 2, 1)

    def encode(self, x): return self.heads(self.e(x)).chunk(2, 1)

    def decode(self, z): return self.o(self.d(z))


@case("a transformer over patches", sites={"patch": 8, "blocks": 8, "dec.norm1": 8, "dec": 8})
class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.mu, self.logvar = nn.Conv2d(1, 8, 4, 4), nn.Linear(8, 3), nn.Linear(8, 3)
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.up, self.out = nn.Linear(3, 32), nn.Linear(8, 16)
        self.dec = nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True)

    def encode(self, x):
        h = self.blocks(self.patch(x).flatten(2).transpose(1, 2)).mean(1)
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        h = self.out(self.dec(self.up(z).view(-1, 4, 8))).view(-1, 2, 2, 4, 4)
        return h.permute(0, 1, 3, 2, 4).reshape(-1, 1, 8, 8)


@case("sequences, GRU", shape=(6, 4), sites={"rnn.0": 8})
class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.heads = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 6)
        self.out = nn.Linear(3, 24)

    def encode(self, x): return self.heads(self.rnn(x)[0][:, -1]).chunk(2, 1)

    def decode(self, z): return self.out(z).view(-1, 6, 4)


@case("video", shape=(1, 4, 4, 4), latents=(2, 2, 2, 2))
class Video(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.o = nn.Conv3d(1, 4, 4, 2, 1), nn.ConvTranspose3d(2, 1, 4, 2, 1)

    def encode(self, x): return self.e(x).chunk(2, 1)

    def decode(self, z): return self.o(z)


@case("float64", after=lambda m: m.double())
class Double(Pair):
    pass


@case("training mode, batch norm and dropout", natural=lambda m, x: m.eval() and m.decode(
      m.encode(x)[0]), after=lambda m: m.train(), says="evaluation mode")
class Training(Dense):
    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(64), nn.Dropout(0.5)

    def encode(self, x): return self.heads(self.drop(self.norm(x.flatten(1))))


@case("DataParallel", after=nn.DataParallel, natural=lambda m, x: m.module.decode(
      m.module.encode(x)[0]), sites={"e": 12})
class Parallel(Dense):
    def forward(self, x): return self.decode(self.encode(x)[0])


def compiled_halves(m):
    m.e = torch.compile(m.e, backend="eager")
    m.encode = torch.compile(m.encode, backend="eager")
    return torch.compile(m, backend="eager")


@case("torch.compile", after=compiled_halves, sites={"e": 12, "fc21": 3}, natural=lambda m, x:
      m._orig_mod.decode(m._orig_mod.encode(x)[0]))
class Compiled(Pair):
    pass


@case("a ScriptModule", after=torch.jit.script, refused="ScriptModule")
class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 6), nn.Linear(3, 64)

    def forward(self, x): return self.decoder(self.encoder(x.flatten(1)))


def normed(m):
    weight_norm(m.e), spectral_norm(m.d), parametrizations.weight_norm(m.o)
    return m.eval()


@case("weight norm and spectral norm", after=normed)
class Normed(Pair):
    pass


@case("batch norm and ReLU in place", latents=(2, 4, 4), sites={"e.0": 4, "e.0.2": 4})
class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.e = nn.Sequential(block, nn.Conv2d(4, 4, 3, padding=1))
        self.d = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.LeakyReLU(0.1, inplace=True))
        self.o = nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def encode(self, x): return self.e(x).chunk(2, 1)

    def decode(self, z):
        h = self.d(z)
        h += 0.5 * h.abs()
        return self.o(h)


@case("remembers a shape")
class Remembers(Pair):
    def encode(self, x):
        self.seen = tuple(x.shape)
        return super().encode(x)


@case("channels last", shape=(4, 4, 2), latents=(4, 4, 3), sites={"e": 6, "act": 6, "d": 5})
class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.act, self.heads = nn.Linear(2, 6), nn.GELU(), nn.Linear(6, 6)
        self.d, self.o = nn.Linear(3, 5), nn.Linear(5, 2)

    def encode(self, x): return self.heads(self.act(self.e(x))).chunk(2, -1)

    def decode(self, z): return self.o(self.d(z))


@case("a block like ConvNeXt's", latents=(2, 4, 4), sites={"deep": 4, "wide": 8, "norm": 4})
class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(1, 4, 2, 2), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.norm, self.wide, self.narrow = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)
        self.o = nn.ConvTranspose2d(2, 1, 2, 2)

    def encode(self, x):
        h = self.down(x)
        t = self.narrow(F.gelu(self.wide(self.norm(self.deep(h).permute(0, 2, 3, 1)))))
        return (h + t.permute(0, 3, 1, 2)).chunk(2, 1)

    def decode(self, z): return self.o(z)


class Skips(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.a = nn.Linear(size, size)

    def forward(self, h): return torch.relu(self.a(h)), h


@case("blocks that return tuples", sites={"block.0": 12})
class TupleBlocks(Dense):
    def __init__(self):
        super().__init__()
        self.block = Skips(12)

    def encode(self, x):
        h, skip = self.block(torch.tanh(self.e(x.flatten(1))))
        return self.fc21(h + skip), self.fc22(h)


@case("a branch that looks at the numbers", slow=True)
class Moody(Dense):
    def encode(self, x):
        mu, logvar = self.heads(x)
        if mu.sum() > 1e9: mu = -mu
        return mu, logvar


@case("draws in its encoder, and keeps to itself", says="noise",
      natural=lambda m, x: m.decode(m.heads(x)[0]), logvar=lambda m, x: m.heads(x)[1])
class KeepsDraw(Dense):
    def encode(self, x):
        mu, logvar = self.heads(x)
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


@case("encodes within no_grad", says="fc21 → mu")
class Ungraded(Dense):
    @torch.no_grad()
    def encode(self, x): return self.heads(x)
